package topology_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/network"
	"assimilation/discovery/switchport"
	"assimilation/relay/internal/store"
	"assimilation/relay/internal/topology"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// site is a map, and what it told.
type site struct {
	*topology.Map
	t     *testing.T
	moved []topology.Place
}

func newSite(t *testing.T) *site {
	s := &site{t: t}
	s.Map = topology.New(func(p topology.Place) { s.moved = append(s.moved, p) })
	return s
}

func (s *site) host(labels map[string]string) tenancy.HostID {
	id := tenancy.NewID[tenancy.HostID]()
	s.Host(store.Host{ID: id, Name: "db1", Labels: labels, Address: "10.1.0.7:4242"})
	return id
}

func (s *site) put(id tenancy.HostID, kind discovery.Kind, facts any) {
	s.t.Helper()
	body, err := discovery.Canonical(facts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.FactPut(id, kind.Name, body)
}

func (s *site) place(id tenancy.HostID) topology.Place {
	s.t.Helper()
	p, ok := s.Place(id)
	if !ok {
		s.t.Fatalf("host %s stands nowhere", id)
	}
	return p
}

func lldp(device, chassis string) switchport.Port {
	return switchport.Port{Interface: device, Protocol: "lldp", Chassis: chassis, Port: "1/" + device, Capabilities: []string{"bridge"}}
}

func cdp(device, chassis string) switchport.Port {
	p := lldp(device, chassis)
	p.Protocol = "cdp"
	return p
}

func with(p switchport.Port, edit func(*switchport.Port)) switchport.Port {
	edit(&p)
	return p
}

func addressed(name, ip string, prefix int64) network.Link {
	return network.Link{Name: name, Type: "ether", Addresses: []network.Address{{IP: ip, Prefix: prefix, Scope: "global"}}}
}

var plainNetwork = network.Facts{Links: []network.Link{addressed("eth0", "10.1.0.7", 24), addressed("eth1", "10.2.0.7", 24)}}

func TestDomain(t *testing.T) {
	bond := network.Facts{Links: []network.Link{
		addressed("bond0", "10.1.0.7", 24), {Name: "eth0", Type: "ether", Master: "bond0"}, {Name: "eth1", Type: "ether", Master: "bond0"},
		addressed("vlan5", "10.5.0.7", 24),
	}}
	bond.Links[3].Parent = "bond0"
	translated := network.Facts{
		Links: []network.Link{addressed("eth0", "192.168.0.7", 24), addressed("eth1", "192.168.1.7", 24)},
		Routes: []network.Route{
			{Family: "inet", Table: 254, Destination: "0.0.0.0/0", Type: "unicast", Device: "eth0", Metric: 200},
			{Family: "inet", Table: 254, Destination: "0.0.0.0/0", Type: "unicast", Device: "eth1", Metric: 100},
			{Family: "inet", Table: 100, Destination: "0.0.0.0/0", Type: "unicast", Device: "eth0"},
		},
	}
	for _, c := range []struct {
		name    string
		network network.Facts
		ports   []switchport.Port
		want    string
	}{
		{"nothing is known", network.Facts{}, nil, ""},
		{"no switch speaks", plainNetwork, nil, "subnet 10.1.0.0/24"},
		{"the session's interface", plainNetwork, []switchport.Port{lldp("eth1", "mac a"), lldp("eth0", "mac b")}, "mac b"},
		{"a switch on another interface", plainNetwork, []switchport.Port{lldp("eth1", "mac a")}, "subnet 10.1.0.0/24"},
		{"LLDP before CDP", plainNetwork, []switchport.Port{cdp("eth0", "name a"), lldp("eth0", "mac b")}, "mac b"},
		{"CDP alone", plainNetwork, []switchport.Port{cdp("eth0", "name z"), cdp("eth0", "name a")}, "name a"},
		{"both legs of a bond", bond, []switchport.Port{lldp("eth1", "mac a"), lldp("eth0", "mac b")}, "mac a"},
		{"behind a translating router", translated, []switchport.Port{lldp("eth0", "mac a"), lldp("eth1", "mac b")}, "mac b"},
		{"behind a router, no switch", translated, nil, "subnet 192.168.1.0/24"},
		{"another host, through a silent switch", plainNetwork,
			[]switchport.Port{with(lldp("eth0", "mac a"), func(p *switchport.Port) { p.Capabilities = []string{"station"} })}, "subnet 10.1.0.0/24"},
		{"a chassis that plays a subnet", plainNetwork, []switchport.Port{lldp("eth0", "subnet 10.9.0.0/16")}, "subnet 10.1.0.0/24"},
		{"a chassis without end", plainNetwork, []switchport.Port{lldp("eth0", strings.Repeat("x", 4096))}, "subnet 10.1.0.0/24"},
	} {
		s := newSite(t)
		id := s.host(nil)
		s.put(id, network.Kind, c.network)
		s.put(id, switchport.Kind, switchport.Facts{Ports: c.ports})
		got := s.place(id)
		if got.Domain != c.want || got.Switch != (c.want != "" && !strings.HasPrefix(c.want, "subnet ")) {
			t.Errorf("%s: %+v, want domain %q", c.name, got, c.want)
		}
	}
}

func TestZone(t *testing.T) {
	civic := with(lldp("eth0", "mac a"), func(p *switchport.Port) {
		p.Civic = []switchport.Civic{{Element: "building", Value: "B2"}, {Element: "country", Value: "DE"}, {Element: "room", Value: "117"}}
	})
	coordinates := with(lldp("eth0", "mac a"), func(p *switchport.Port) { p.Latitude, p.Longitude = "52.5200066", "-0.0001" })
	places := map[string]string{"role=db": "cage 4", "mac a": "row 7"}
	for _, c := range []struct {
		name   string
		labels map[string]string
		places map[string]string
		port   switchport.Port
		want   string
	}{
		{"nothing", nil, nil, lldp("eth0", "mac a"), ""},
		{"label", map[string]string{"zone": "z1", "rack": "r1"}, places, civic, "z1"},
		{"labels together", map[string]string{"rack": "r1", "building": "b"}, places, civic, "b/r1"},
		{"policy by label", map[string]string{"role": "db"}, places, civic, "cage 4"},
		{"policy by switch", map[string]string{"role": "web"}, places, civic, "row 7"},
		{"civic address", nil, nil, civic, "B2/117"},
		{"coordinates", nil, nil, coordinates, "52.520 0.000"},
		{"no coordinates", nil, nil, with(coordinates, func(p *switchport.Port) { p.Latitude = "NaN" }), ""},
		{"off the earth", nil, nil, with(coordinates, func(p *switchport.Port) { p.Longitude = "181" }), ""},
	} {
		s := newSite(t)
		s.SetPolicy(uplink.Policy{Places: c.places})
		id := s.host(c.labels)
		s.put(id, network.Kind, plainNetwork)
		s.put(id, switchport.Kind, switchport.Facts{Ports: []switchport.Port{c.port}})
		if got := s.place(id).Zone; got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMovesAreTold(t *testing.T) {
	s := newSite(t)
	id := s.host(map[string]string{"role": "db", "hypervisor": "hv1"})
	if len(s.moved) != 1 || s.moved[0].Risk != "hv1" {
		t.Fatalf("a new host was told as %+v", s.moved)
	}
	steps := []struct {
		name string
		do   func()
		want int // times that it was told
	}{
		{"addresses", func() { s.put(id, network.Kind, plainNetwork) }, 2},
		{"a cable", func() { s.put(id, switchport.Kind, switchport.Facts{Ports: []switchport.Port{lldp("eth0", "mac a")}}) }, 3},
		{"the same again", func() { s.put(id, switchport.Kind, switchport.Facts{Ports: []switchport.Port{lldp("eth0", "mac a")}}) }, 3},
		{"another port of the switch", func() {
			s.put(id, switchport.Kind, switchport.Facts{Ports: []switchport.Port{with(lldp("eth0", "mac a"), func(p *switchport.Port) { p.Port = "9" })}})
		}, 3},
		{"the cable in another switch", func() { s.put(id, switchport.Kind, switchport.Facts{Ports: []switchport.Port{lldp("eth0", "mac b")}}) }, 4},
		{"a policy", func() { s.SetPolicy(uplink.Policy{Places: map[string]string{"mac b": "row 7"}}) }, 5},
		{"a label", func() {
			s.Host(store.Host{ID: id, Labels: map[string]string{"zone": "z"}, Address: "10.1.0.7:4242"})
		}, 6},
		{"the cable out", func() { s.FactGone(id, switchport.Kind.Name) }, 7},
		{"a fact that says nothing", func() { s.FactPut(id, network.Kind.Name, []byte(`{"links":7}`)) }, 8},
		{"a host of another relay", func() {
			s.Host(store.Host{ID: id, ServedBy: tenancy.NewID[tenancy.RelayID](), Domain: "mac c", Labels: map[string]string{"zone": "z"}})
		}, 9},
		{"a fact of a host that is not there", func() { s.put(tenancy.NewID[tenancy.HostID](), network.Kind, plainNetwork) }, 9},
	}
	for _, step := range steps {
		step.do()
		if len(s.moved) != step.want {
			t.Errorf("%s: told %d times, want %d", step.name, len(s.moved), step.want)
		}
		if last := s.moved[len(s.moved)-1]; last != s.place(id) {
			t.Errorf("%s: told %+v, stands at %+v", step.name, last, s.place(id))
		}
	}
	s.Gone(id)
	if _, ok := s.Place(id); ok {
		t.Error("a host that is gone stands somewhere")
	}
}

func TestView(t *testing.T) {
	s := newSite(t)
	var hosts []store.Host
	for i, at := range []struct {
		chassis string
		state   uplink.State
	}{{"mac a", uplink.Unreachable}, {"mac a", uplink.Unreachable}, {"mac b", uplink.Up}, {"", uplink.Down}} {
		id := tenancy.NewID[tenancy.HostID]()
		ip := fmt.Sprintf("10.1.0.%d", i+1)
		h := store.Host{ID: id, Name: fmt.Sprintf("h%d", i), State: at.state, Address: ip + ":1", Labels: map[string]string{"zone": "z" + at.chassis}}
		hosts = append(hosts, h)
		s.Host(h)
		s.put(id, network.Kind, network.Facts{Links: []network.Link{addressed("eth0", ip, 24)}})
		if at.chassis != "" {
			s.put(id, switchport.Kind, switchport.Facts{Ports: []switchport.Port{with(lldp("eth0", at.chassis), func(p *switchport.Port) {
				p.Name, p.Management, p.Civic = "core", []string{"10.0.0.1", "fe80::1"}, []switchport.Civic{{Element: "room", Value: "117"}}
			})}})
		}
	}
	ring := uplink.TopologyRing{Level: "site", Members: []tenancy.HostID{hosts[0].ID, hosts[2].ID}}
	view := s.View(topology.Scene{
		Relay: "relay-1", At: time.UnixMilli(1_790_000_000_000), Hosts: hosts, Rings: []uplink.TopologyRing{ring},
		Opaque: func(domain string) (name [16]byte) { copy(name[:], domain); return name },
	})
	if len(view.Switches) != 3 || len(view.Hosts) != 4 || len(view.Zones) != 3 || len(view.Rings) != 1 {
		t.Fatalf("%+v", view)
	}
	a := view.Switches[0]
	if a.Chassis != "mac a" || a.State != "down" || len(a.Ports) != 2 || a.Name != "core" || len(a.Management) != 2 || a.Place.Civic["room"] != "117" || a.Zone != "zmac a" {
		t.Errorf("switch a is %+v", a)
	}
	if b := view.Switches[1]; b.State != "up" {
		t.Errorf("switch b is %+v", b)
	}
	if subnet := view.Switches[2]; subnet.Subnet != "10.1.0.0/24" || subnet.Chassis != "" || len(subnet.Ports) != 0 {
		t.Errorf("the subnet is %+v", subnet)
	}
	if h := view.Hosts[0]; h.Domain != a.Domain || h.State != "unreachable" || h.Address != "10.1.0.1" {
		t.Errorf("host 0 is %+v", h)
	}
	encoded, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	var again uplink.Topology
	if err := json.Unmarshal(encoded, &again); err != nil || !reflect.DeepEqual(again, view) {
		t.Errorf("a view does not survive its encoding: %v", err)
	}
	empty, err := json.Marshal(newSite(t).View(topology.Scene{}))
	if err != nil || strings.Contains(string(empty), "null") {
		t.Errorf("a site without hosts is %s, %v", empty, err)
	}
}

func TestLoadFindsWhatTheStoreHas(t *testing.T) {
	st, err := store.Open(context.Background(), t.TempDir(), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	seal, err := uplink.NewOpenKey()
	if err != nil {
		t.Fatal(err)
	}
	id := tenancy.NewID[tenancy.HostID]()
	err = st.Do(context.Background(), func(tx *store.Tx) error {
		if err := tx.SaveKeys(store.Keys{Sign: make([]byte, 64), Seal: seal}); err != nil {
			return err
		}
		e := store.Enrolment{
			URL: "https://assim.example", TenantKey: seal.SealKey(), Tenant: tenancy.NewID[tenancy.TenantID](), Site: tenancy.NewID[tenancy.SiteID](),
			Relay: tenancy.NewID[tenancy.RelayID](), SiteKey: make([]byte, 32), SiteName: "berlin", Certificate: []byte{1},
		}
		if err := tx.Enrol(e, 1_790_000_000_000); err != nil {
			return err
		}
		err := tx.AddHost(store.Host{ID: id, Name: "db1", Address: "10.1.0.7:1", State: uplink.Up, EnrolledAt: 1_790_000_000_000, StateAt: 1_790_000_000_000})
		if err != nil {
			return err
		}
		for _, f := range []struct {
			kind discovery.Kind
			body any
		}{{network.Kind, plainNetwork}, {switchport.Kind, switchport.Facts{Ports: []switchport.Port{lldp("eth0", "mac a")}}}} {
			fact, err := discovery.NewFact(f.kind, "", f.body)
			if err != nil {
				return err
			}
			if _, err := tx.PutFact(id, fact, 1, 1_790_000_000_000); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	if err := s.Load(context.Background(), st, uplink.Policy{Places: map[string]string{"mac a": "row 7"}}); err != nil {
		t.Fatal(err)
	}
	if len(s.moved) != 1 || s.moved[0].Domain != "mac a" || s.moved[0].Zone != "row 7" || !s.moved[0].Switch {
		t.Errorf("%+v", s.moved)
	}
}

func FuzzFacts(f *testing.F) {
	f.Add("switchport", []byte(`{"ports":[{"chassis":"mac a","interface":"eth0","port":"1","civic":[{"element":"room","value":"7"}],"latitude":"1e9"}]}`))
	f.Add("network", []byte(`{"links":[{"name":"a","parent":"b","master":"a"},{"name":"b","parent":"a"}],"routes":[{"family":"inet","table":254,"type":"unicast","destination":"::/0","device":"a"}]}`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		m := topology.New(func(topology.Place) {})
		id := tenancy.NewID[tenancy.HostID]()
		h := store.Host{ID: id, Address: "10.0.0.1:1"}
		m.Host(h)
		m.FactPut(id, network.Kind.Name, []byte(`{"links":[{"name":"eth0","type":"ether","addresses":[{"ip":"10.0.0.1","prefix":8}]}]}`))
		m.FactPut(id, kind, body)
		if _, ok := m.Place(id); !ok {
			t.Fatal("a fact made its host vanish")
		}
		m.View(topology.Scene{Hosts: []store.Host{h}, Opaque: func(string) [16]byte { return [16]byte{} }})
	})
}
