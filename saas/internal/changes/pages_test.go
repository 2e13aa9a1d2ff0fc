package changes

import (
	"slices"
	"testing"

	"assimilation/discovery"
	"assimilation/tenancy"
)

func TestAFirstReportIsOneRow(t *testing.T) {
	a, b := tenancy.NewID[tenancy.HostID](), tenancy.NewID[tenancy.HostID]()
	items := []Change{{HostID: a, Kind: "os", Op: Changed}, {HostID: a, Kind: "os", Op: Appeared, whole: "Debian 12"},
		{HostID: a, Kind: "packages", Instance: "0", Op: Appeared, counts: []discovery.Count{{Noun: "package", N: 12}}},
		{HostID: a, Kind: "packages", Instance: "1", Op: Appeared, counts: []discovery.Count{{Noun: "package", N: 30}}},
		{HostID: b, Kind: "os", Op: Appeared}, {HostID: b, Kind: "os", Op: Gone}, {HostID: b, Kind: "os", Op: Appeared}}
	var got []int
	for _, run := range runs(items) {
		got = append(got, len(run))
	}
	if !slices.Equal(got, []int{1, 3, 1, 1, 1}) || kindsOf(items[1:4]) != "os, packages" {
		t.Errorf("runs of %v, %q", got, kindsOf(items[1:4]))
	}
	if said := reports(items[1:4]); !slices.Equal(said, []report{{"os", "Debian 12"}, {"packages", "42 packages"}}) {
		t.Errorf("said %v", said)
	}
}
