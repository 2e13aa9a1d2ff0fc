package cmdb_test

import (
	"net/netip"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"assimilation/cmdb"
)

func TestLabelsStayWithinTheirLimit(t *testing.T) {
	if n := len(cmdb.Vertices) + len(cmdb.Edges); n > cmdb.MaxLabels {
		t.Errorf("%d labels, at most %d", n, cmdb.MaxLabels)
	}
}

func TestSchemaIsConsistent(t *testing.T) {
	vertices := map[cmdb.Label]cmdb.VertexSpec{}
	for _, v := range cmdb.Vertices {
		if _, twice := vertices[v.Label]; twice || v.Doc == "" || v.Key == "" {
			t.Errorf("label %s: listed twice, or undocumented", v.Label)
		}
		vertices[v.Label] = v
	}
	edges := map[cmdb.EdgeType]bool{}
	reached := map[cmdb.Label]bool{}
	for _, e := range cmdb.Edges {
		if edges[e.Type] || e.Doc == "" {
			t.Errorf("edge type %s: listed twice, or undocumented", e.Type)
		}
		edges[e.Type] = true
		for _, end := range []cmdb.Label{e.From, e.To} {
			if _, ok := vertices[end]; !ok {
				t.Errorf("edge type %s ends at %s, which is no label", e.Type, end)
			}
		}
		reached[e.To] = true
	}
	for _, v := range cmdb.Vertices {
		if v.Shared && !reached[v.Label] {
			t.Errorf("%s is shared and no edge points at it: it would be swept at once", v.Label)
		}
	}
}

func TestRealmOf(t *testing.T) {
	host, site := cmdb.HostRealm("h"), cmdb.SiteRealm("s")
	for _, test := range []struct {
		ip      string
		private bool
		want    cmdb.Realm
	}{
		{"127.0.0.1", false, host}, {"::1", false, host}, {"::ffff:127.0.0.1", false, host},
		{"169.254.1.1", false, host}, {"fe80::1%eth0", false, host}, {"0.0.0.0", false, host}, {"224.0.0.251", false, host},
		{"10.0.0.5", false, site}, {"192.168.1.1", false, site}, {"fd00::1", false, site}, {"100.64.1.1", false, site},
		{"192.0.2.2", false, site}, {"2001:db8::1", false, site},
		{"172.17.0.2", true, host}, {"8.8.8.8", true, host},
		{"8.8.8.8", false, cmdb.Public}, {"2a00:1450::1", false, cmdb.Public}, {"100.128.0.1", false, cmdb.Public},
	} {
		if got := cmdb.RealmOf(netip.MustParseAddr(test.ip), test.private, host, site); got != test.want {
			t.Errorf("RealmOf(%s, private %v) = %s, want %s", test.ip, test.private, got, test.want)
		}
	}
}

// The keys are a disk format: they may not change.
func TestKeys(t *testing.T) {
	for got, want := range map[string]string{
		cmdb.AddressKey(cmdb.Public, netip.MustParseAddr("::ffff:8.8.8.8")):                "public|8.8.8.8",
		cmdb.AddressKey(cmdb.HostRealm("h"), netip.MustParseAddr("fe80::1%eth0")):          "host:h|fe80::1",
		cmdb.SubnetKey(cmdb.SiteRealm("s"), netip.MustParsePrefix("10.1.2.3/16")):          "site:s|10.1.0.0/16",
		cmdb.EndpointKey(cmdb.SiteRealm("s"), netip.MustParseAddr("10.0.0.1"), "tcp", 443): "site:s|10.0.0.1|tcp|443",
		cmdb.NICKey(cmdb.SiteRealm("s"), "02:FC:00:00:00:01"):                              "site:s|02:fc:00:00:00:01",
		cmdb.JoinKey("dpkg", `a|b\c`, "1", "amd64"):                                        `dpkg|a\|b\\c|1|amd64`,
	} {
		if got != want {
			t.Errorf("key %q, want %q", got, want)
		}
	}
}

func TestJoinKeyNeverFuses(t *testing.T) {
	parts := rapid.SliceOfN(rapid.StringOf(rapid.SampledFrom([]rune{'a', '|', '\\'})), 2, 2)
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		if (cmdb.JoinKey(a...) == cmdb.JoinKey(b...)) != reflect.DeepEqual(a, b) {
			t.Fatalf("%q and %q", a, b)
		}
	})
}

func TestDiff(t *testing.T) {
	host := cmdb.Ref{Label: cmdb.Host, Key: "h"}
	make := func(mtu int64, addresses ...string) cmdb.Elements {
		var e cmdb.Elements
		link := e.AddVertex(cmdb.Interface, "h/eth0", map[string]any{"mtu": mtu})
		e.AddEdge(cmdb.HasInterface, host, link, nil)
		for _, a := range addresses {
			e.AddEdge(cmdb.HasAddress, link, e.AddVertex(cmdb.Address, a, nil), nil)
		}
		return e
	}
	if d := cmdb.Diff(make(1500, "a"), make(1500, "a")); !d.Empty() {
		t.Errorf("no change: %+v", d)
	}
	d := cmdb.Diff(make(1500, "a", "b"), make(9000, "b", "c"))
	if len(d.PutVertices) != 2 || d.PutVertices[0].Label != cmdb.Interface || d.PutVertices[1].Key != "c" {
		t.Errorf("put vertices %+v", d.PutVertices)
	}
	if len(d.PutEdges) != 1 || d.PutEdges[0].To.Key != "c" {
		t.Errorf("put edges %+v", d.PutEdges)
	}
	if len(d.GoneVertices) != 0 {
		t.Errorf("a shared vertex is nobody's to remove: %+v", d.GoneVertices)
	}
	if len(d.GoneEdges) != 1 || d.GoneEdges[0].To.Key != "a" {
		t.Errorf("gone edges %+v", d.GoneEdges)
	}
	d = cmdb.Diff(make(1500, "a"), cmdb.Elements{})
	if len(d.GoneVertices) != 1 || d.GoneVertices[0].Label != cmdb.Interface || len(d.GoneEdges) != 2 {
		t.Errorf("all gone: %+v", d)
	}
}
