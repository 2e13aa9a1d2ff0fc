package changes

import (
	"slices"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/tenancy"
)

func TestDifferencesAreSaidInWords(t *testing.T) {
	fact := func(kind discovery.Kind, body any) []byte {
		f, err := discovery.NewFact(kind, "", body)
		if err != nil {
			t.Fatal(err)
		}
		return f.Body
	}
	pkgs := func(all ...packages.Package) []byte {
		return fact(packages.Kind, packages.Facts{Manager: "dpkg", Packages: all})
	}
	services := func(all ...sockets.Service) []byte { return fact(sockets.Kind, sockets.Facts{Services: all}) }
	nginx := sockets.Service{Name: "nginx", Exe: "/usr/sbin/nginx"}
	serving, using := nginx, nginx
	serving.Listens = []sockets.Listen{{Protocol: "tcp", IP: "10.0.0.1", Port: 443}}
	using.Connects = []sockets.Connect{{Protocol: "tcp", IP: "10.0.0.2", Port: 5432}}
	wild := serving
	wild.Listens = []sockets.Listen{{Protocol: "tcp", IP: "10.0.0.1", Port: 443, Wildcard: "0.0.0.0"}}
	for _, test := range []struct {
		kind     discovery.Kind
		old, new []byte
		want     []string
	}{
		{packages.Kind, pkgs(packages.Package{Name: "openssl", Version: "3.0.15", Arch: "amd64"}), pkgs(packages.Package{Name: "openssl", Version: "3.0.16", Arch: "amd64"}), []string{"openssl 3.0.15 -> 3.0.16 (amd64)"}},
		{packages.Kind, pkgs(packages.Package{Name: "bash", Version: "5", Arch: "all"}), pkgs(packages.Package{Name: "dash", Version: "1 2", Arch: "all", License: "GPL version=9"}), []string{"bash 5 removed (all)", "dash 1 2 installed (all)"}},
		{sockets.Kind, services(nginx), services(serving), []string{"tcp 10.0.0.1:443 opened by nginx"}},
		{sockets.Kind, services(serving), services(using), []string{"tcp 10.0.0.2:5432 is used by nginx", "tcp 10.0.0.1:443 closed by nginx"}},
		{sockets.Kind, services(), services(serving), []string{"nginx started to listen or connect", "tcp 10.0.0.1:443 opened by nginx"}},
		{sockets.Kind, services(using), services(), []string{"nginx no longer listens or connects", "tcp 10.0.0.2:5432 is no longer used by nginx"}},
		{sockets.Kind, services(serving), services(wild), []string{`listens of nginx: changed tcp 10.0.0.1:443 wildcard: "" -> "0.0.0.0"`}},
	} {
		differences, err := discovery.Diff(test.kind, test.old, test.new)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range differences {
			got = append(got, words(test.kind.Name, d))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestAFirstReportIsOneRow(t *testing.T) {
	a, b := tenancy.NewID[tenancy.HostID](), tenancy.NewID[tenancy.HostID]()
	items := []Change{{HostID: a, Kind: "os", Op: Changed}, {HostID: a, Kind: "os", Op: Appeared}, {HostID: a, Kind: "packages", Op: Appeared},
		{HostID: a, Kind: "os", Op: Appeared}, {HostID: b, Kind: "os", Op: Appeared}, {HostID: b, Kind: "os", Op: Gone}, {HostID: b, Kind: "os", Op: Appeared}}
	var got []int
	for _, run := range runs(items) {
		got = append(got, len(run))
	}
	if !slices.Equal(got, []int{1, 3, 1, 1, 1}) || kindsOf(items[1:4]) != "os, packages" {
		t.Errorf("runs of %v, %q", got, kindsOf(items[1:4]))
	}
}
