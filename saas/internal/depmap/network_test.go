package depmap

import (
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/uplink"
)

func office() sight {
	subnet, cidr := "site:s|10.0.0.0/24", "10.0.0.0/24"
	return sight{
		title: "paris", hosts: []host{{"a", "web\"1", "up", "paris"}, {"b", "db1", "down", "paris"}},
		attachments: []attachment{{"a", "eth0", "s|10.0.0.1", "10.0.0.1", &subnet, &cidr}, {"b", "eth0", "s|10.0.0.2", "10.0.0.2", &subnet, &cidr}, {"b", "eth1", "s|10.9.0.2", "10.9.0.2", nil, nil}},
		plugs:       []plug{{"a", "eth0", "c1", "sw1", "p1"}, {"b", "eth0", "c1", "sw1", "p2"}},
	}
}

func TestANetworkStandsBetweenSwitchesAndSubnets(t *testing.T) {
	m := draw(office(), nil, noVendor)
	at := map[string]Node{}
	count := map[NodeKind]int{}
	for _, n := range m.Nodes {
		at[n.ID] = n
		count[n.Kind]++
	}
	if count[HostNode] != 2 || count[IPNode] != 3 || count[SubnetNode] != 1 || count[SwitchNode] != 1 || count[PortNode] != 2 || count[ServiceNode] != 0 {
		t.Errorf("nodes %v", count)
	}
	lines := map[EdgeKind]int{}
	for _, e := range m.Edges {
		lines[e.Kind]++
		if at[e.Source].ID == "" || at[e.Target].ID == "" {
			t.Errorf("%s leads nowhere", e.ID)
		}
	}
	if lines[Within] != 2 || lines[Wired] != 2 {
		t.Errorf("lines %v", lines)
	}
	if sw, h, net := at["switch:c1"], at["a"], at["subnet:site:s|10.0.0.0/24"]; sw.X >= h.X || h.X >= net.X {
		t.Errorf("from left to right: switch at %d, host at %d, subnet at %d", sw.X, h.X, net.X)
	}
}

func TestAMapKeepsOnlyTheKindsAskedFor(t *testing.T) {
	s := shop()
	s.attachments, s.plugs = office().attachments, office().plugs
	for _, test := range []struct {
		kinds []NodeKind
		edges bool
	}{{[]NodeKind{HostNode}, false}, {[]NodeKind{HostNode, ServiceNode, EndpointNode}, true}, {[]NodeKind{SubnetNode}, false}, {[]NodeKind{"nothing"}, false}} {
		m := draw(s, test.kinds, noVendor)
		left := map[string]bool{}
		for _, n := range m.Nodes {
			left[n.ID] = true
			kept := false
			for _, k := range test.kinds {
				kept = kept || n.Kind == k
			}
			if !kept || n.Parent != "" && !left[n.Parent] {
				t.Errorf("%v: %s of kind %s within %q is shown", test.kinds, n.ID, n.Kind, n.Parent)
			}
		}
		if (len(m.Edges) > 0) != test.edges {
			t.Errorf("%v: %d lines", test.kinds, len(m.Edges))
		}
		for _, e := range m.Edges {
			if !left[e.Source] || !left[e.Target] {
				t.Errorf("%v: %s leads nowhere", test.kinds, e.ID)
			}
		}
	}
}

func TestALargeEstateIsDrawnByItsServices(t *testing.T) {
	m := draw(sight{title: "all sites", grouped: true, groups: []group{
		{"nginx", "postgres", "tcp", 5432, 900, 300, 3}, {"haproxy", "nginx", "tcp", 80, 600, 2, 300}, {"nginx", "redis", "tcp", 6379, 300, 300, 1}}}, nil, noVendor)
	detail := map[string]string{}
	for _, n := range m.Nodes {
		if n.Kind == GroupNode {
			detail[n.Label] = n.Detail
		}
	}
	if len(detail) != 4 || detail["nginx"] != "on 300 hosts" || detail["haproxy"] != "on 2 hosts" || len(m.Edges) != 3 {
		t.Errorf("groups %v, %d lines", detail, len(m.Edges))
	}
	if !strings.Contains(m.Note, "choose a host or a site") {
		t.Errorf("note %q", m.Note)
	}
}

func TestRingsAreCircles(t *testing.T) {
	ids := []tenancy.HostID{tenancy.NewID[tenancy.HostID](), tenancy.NewID[tenancy.HostID](), tenancy.NewID[tenancy.HostID]()}
	m := drawRings("paris", uplink.Topology{
		Hosts: []uplink.TopologyHost{{Host: ids[0], Name: "web1", State: "up"}, {Host: ids[1], Name: "web2", State: "down"}, {Host: ids[2], Name: "db1", State: "up"}},
		Rings: []uplink.TopologyRing{{Level: "switch", Name: "sw1", Members: ids}, {Level: "site", Name: "paris", Members: []tenancy.HostID{{}, ids[0]}}, {Level: "zone", Name: "empty"}},
	})
	labels := map[string]int{}
	for _, n := range m.Nodes {
		labels[n.Label]++
		if n.X-n.W/2 < 0 || n.Y-n.H/2 < 0 || n.X+n.W/2 > m.Width || n.Y+n.H/2 > m.Height {
			t.Errorf("%s is outside of the picture", n.Label)
		}
	}
	if labels["web1"] != 2 || labels["relay"] != 1 || labels["switch sw1"] != 1 || len(m.Edges) != 4 {
		t.Errorf("nodes %v, %d lines, want 3 and 1", labels, len(m.Edges))
	}
}

// A host's name must not end the string that it stands in.
func TestDOTQuotesWhatHostsReport(t *testing.T) {
	var b strings.Builder
	s := office()
	s.hosts[1].Name = "x\"]; evil [label=\"\\\n"
	if err := draw(s, nil, noVendor).WriteDOT(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		inside := false
		for i := 0; i < len(line); i++ {
			switch {
			case line[i] == '\\' && inside:
				i++
			case line[i] == '"':
				inside = !inside
			case !inside && strings.HasPrefix(line[i:], "evil"):
				t.Errorf("a name broke out: %s", line)
			}
		}
		if inside {
			t.Errorf("a string does not end: %s", line)
		}
	}
	if text := b.String(); !strings.HasPrefix(text, "digraph") || strings.Count(text, "{") != strings.Count(text, "}") || !strings.Contains(text, `"web\"1`) {
		t.Errorf("DOT:\n%s", text)
	}
}
