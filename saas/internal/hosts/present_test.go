package hosts

import (
	"slices"
	"testing"
	"time"

	"assimilation/discovery/network"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/tenancy"
)

func TestWildcardListenersAreOneRow(t *testing.T) {
	s := sockets.Service{Listens: []sockets.Listen{
		{Protocol: "tcp", IP: "10.0.0.1", Port: 80, Wildcard: "0.0.0.0"},
		{Protocol: "tcp", IP: "10.0.0.1", Port: 8080},
		{Protocol: "tcp", IP: "127.0.0.1", Port: 80, Wildcard: "0.0.0.0"},
		{Protocol: "tcp", IP: "::1", Port: 80, Wildcard: "::"},
		{Protocol: "udp", IP: "fe80::1", Port: 546, Device: "eth0"},
	}}
	want := []listenRow{{"0.0.0.0:80/tcp", "2 addresses"}, {"10.0.0.1:8080/tcp", ""}, {"[::]:80/tcp", "1 address"}, {"[fe80::1]:546/udp", "on eth0"}}
	if got := listenRows(s); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAddressesSayWhereAHostIs(t *testing.T) {
	facts := []network.Facts{{Links: []network.Link{
		{Name: "lo", Addresses: []network.Address{{IP: "127.0.0.1", Prefix: 8}, {IP: "::1", Prefix: 128}}},
		{Name: "eth0", Addresses: []network.Address{{IP: "10.0.0.1", Prefix: 24}, {IP: "fe80::1", Prefix: 64}, {IP: "nonsense", Prefix: 1}}},
		{Name: "docker0", Private: true, Addresses: []network.Address{{IP: "172.17.0.1", Prefix: 16}}},
	}}}
	if got := addressesOf(facts); !slices.Equal(got, []string{"10.0.0.1/24 eth0"}) {
		t.Errorf("%v", got)
	}
}

func TestPackagesAreSearched(t *testing.T) {
	var many packages.Facts
	for range maxPackagesShown + 1 {
		many.Packages = append(many.Packages, packages.Package{Name: "z"})
	}
	facts := []packages.Facts{{Packages: []packages.Package{{Name: "openssl", Version: "3.0"}, {Name: "bash", Version: "5.2"}}}, many}
	for text, want := range map[string][3]int{"": {500, 503, 503}, " OpenSSL ": {1, 1, 503}, "5.2": {1, 1, 503}, "nothing": {0, 0, 503}} {
		shown, matching, all := searchPackages(facts, text)
		if got := [3]int{len(shown), matching, all}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestEndpointsAreReadFromKeys(t *testing.T) {
	for properties, want := range map[string]string{
		`{"key": "site:a|10.0.0.1|tcp|80"}`: "10.0.0.1:80/tcp", `{"key": "public|2001:db8::1|udp|53"}`: "[2001:db8::1]:53/udp", `{"key": "odd"}`: "odd",
	} {
		if got, err := readEndpoint(properties); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", properties, got, err, want)
		}
	}
	if _, err := readEndpoint(`{"key": `); err == nil {
		t.Error("a damaged vertex is taken")
	}
}

func FuzzCursor(f *testing.F) {
	h := Host{ID: tenancy.NewID[tenancy.HostID](), Name: "Web\x001", EnrolledAt: time.Now()}
	f.Add(makeCursor(h))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		name, id, err := parseCursor(cursor)
		if err != nil || cursor == "" {
			return
		}
		again, same, err := parseCursor(makeCursor(Host{ID: id, Name: name}))
		if err != nil || same != id || len(again) > 4*len(name) {
			t.Errorf("%q: %q %v, then %q %v, %v", cursor, name, id, again, same, err)
		}
	})
}
