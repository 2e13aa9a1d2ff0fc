package discovery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
)

func TestDiff(t *testing.T) {
	nginx := func(listens ...sockets.Listen) sockets.Facts {
		return sockets.Facts{Services: []sockets.Service{{Name: "nginx", Exe: "/usr/sbin/nginx", Argv: []string{"nginx", "-g"}, Listens: listens}}}
	}
	v4 := sockets.Listen{Protocol: "tcp", IP: "10.0.0.1", Port: 80}
	v6 := sockets.Listen{Protocol: "tcp", IP: "fd00::1", Port: 80}
	wild := v4
	wild.Wildcard = "0.0.0.0"
	twins := nginx(v4)
	twins.Services = append(twins.Services, twins.Services[0])
	twins.Services[1].Argv = []string{"nginx", "-t"}
	link := func(mtu int64, up bool, addresses ...network.Address) network.Facts {
		return network.Facts{Links: []network.Link{{Name: "eth0", Type: "ether", MTU: mtu, AdminUp: up, Addresses: addresses}}}
	}
	release := func(id, version string) os.Facts {
		return os.Facts{Release: os.Release{ID: id, VersionID: version}, Kernel: os.Kernel{Name: "Linux"}}
	}
	tests := []struct {
		name     string
		kind     discovery.Kind
		old, new any // nil for a fact that is not there
		want     []string
	}{
		{"nothing", sockets.Kind, nginx(v4, v6), nginx(v4, v6), nil},
		{"both absent", sockets.Kind, nil, nil, nil},
		{"nested item added", sockets.Kind, nginx(v4), nginx(v4, v6), []string{`listens of nginx: added tcp [fd00::1]:80`}},
		{"nested item removed", sockets.Kind, nginx(v4, v6), nginx(v6), []string{`listens of nginx: removed tcp 10.0.0.1:80`}},
		{"order is no change", sockets.Kind, nginx(v4, v6), nginx(v6, v4), nil},
		{"field of a nested item", sockets.Kind, nginx(v4), nginx(wild), []string{`listens of nginx: changed tcp 10.0.0.1:80 wildcard: "" -> "0.0.0.0"`}},
		{"item with its nested items", sockets.Kind, sockets.Facts{}, nginx(v4), []string{`services: added nginx`, `listens of nginx: added tcp 10.0.0.1:80`}},
		{"fact appeared", sockets.Kind, nil, nginx(v4), []string{`services: added nginx`, `listens of nginx: added tcp 10.0.0.1:80`}},
		{"fact went", sockets.Kind, nginx(v4), nil, []string{`services: removed nginx`, `listens of nginx: removed tcp 10.0.0.1:80`}},
		{"same title, other key", sockets.Kind, nginx(v4), twins, []string{
			`services: added nginx (/usr/sbin/nginx nginx -t 0 0)`, `listens of nginx (/usr/sbin/nginx nginx -t 0 0): added tcp 10.0.0.1:80`}},
		{"fields of an item", network.Kind, link(1500, true), link(9000, false), []string{
			`links: changed eth0 admin_up: "true" -> "false"`, `links: changed eth0 mtu: "1500" -> "9000"`}},
		{"list came into being", network.Kind, link(1500, true), link(1500, true, network.Address{IP: "10.0.0.1", Prefix: 24}), []string{`addresses of eth0: added 10.0.0.1 24`}},
		{"scalars outside lists", os.Kind, release("debian", "12"), release("debian", ""), []string{`release: removed version_id: "12" -> ""`}},
		{"package upgraded", packages.Kind,
			packages.Facts{Manager: "dpkg", Packages: []packages.Package{{Name: "curl", Version: "1", Arch: "amd64"}}},
			packages.Facts{Manager: "dpkg", Packages: []packages.Package{{Name: "curl", Version: "2", Arch: "amd64"}}},
			[]string{`packages: changed curl amd64 version: "1" -> "2"`}},
		{"kind without a description", discovery.Kind{Name: "x-own"},
			map[string]any{"a": []any{map[string]any{"n": 1}}, "b": 1}, map[string]any{"a": []any{map[string]any{"n": 2}}},
			[]string{`a: changed #1 n: "1" -> "2"`, `removed b: "1" -> ""`}},
	}
	for _, test := range tests {
		changes, err := discovery.Diff(test.kind, body(t, test.old), body(t, test.new))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		var got []string
		for _, c := range changes {
			got = append(got, c.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, strings.Join(got, "\n     "), strings.Join(test.want, "\n     "))
		}
	}
}

func TestDiffIsBounded(t *testing.T) {
	facts := packages.Facts{Manager: "dpkg"}
	for i := range 5000 {
		facts.Packages = append(facts.Packages, packages.Package{Name: fmt.Sprintf("p%d", i), Version: strings.Repeat("9", 1000), Arch: "all"})
	}
	changes, err := discovery.Diff(packages.Kind, nil, body(t, facts))
	if err != nil {
		t.Fatal(err)
	}
	last := changes[len(changes)-1]
	if len(changes) != discovery.MaxChanges+1 || last.Op != discovery.More || last.New != "4001" { // the manager and 5000 packages
		t.Errorf("%d changes, the last %+v", len(changes), last)
	}
	if len(changes[1].New) > 520 {
		t.Errorf("text of %d bytes", len(changes[1].New))
	}
}

// FuzzDiff shows that any two canonical bodies can be compared, and that a
// body does not differ from itself.
func FuzzDiff(f *testing.F) {
	f.Add([]byte(`{"services":[{"exe":"/a","listens":[{"ip":"::1","port":1}]}]}`), []byte(`{"services":[1]}`))
	f.Add([]byte(`{"services":[{"listens":{"a":1}},{"listens":[]}]}`), []byte(`{"services":{"a":[]}}`))
	f.Add([]byte(`{}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if _, err := discovery.Diff(sockets.Kind, a, b); err != nil {
			return
		}
		if same, err := discovery.Diff(sockets.Kind, a, a); err != nil || len(same) != 0 {
			t.Errorf("%s differs from itself: %v %v", a, same, err)
		}
	})
}

func body(t *testing.T, v any) []byte {
	t.Helper()
	if v == nil {
		return nil
	}
	b, err := discovery.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
