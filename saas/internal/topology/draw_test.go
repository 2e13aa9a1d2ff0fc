package topology

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// drawn makes the picture and fails unless it is well-formed XML.
func drawn(t *testing.T, site uplink.Topology, rings bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeSVG(&b, site, rings); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return text
		} else if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
}

func TestThePictureShowsSwitchesPortsAndRings(t *testing.T) {
	a, b := tenancy.NewID[tenancy.HostID](), tenancy.NewID[tenancy.HostID]()
	const hostile = `</text><script>alert("1")</script>`
	site := uplink.Topology{
		Zones: []uplink.TopologyZone{{Name: "room 117", State: "up"}},
		Switches: []uplink.TopologySwitch{
			{Domain: "1", Chassis: "mac 02:00:00:00:01:01", Name: hostile, Zone: "room 117", State: "down", Ports: []uplink.TopologyPort{{Port: hostile, Host: a}}},
			{Domain: "2", Subnet: "10.0.0.0/24", Zone: "a zone that nobody lists", State: "up"},
		},
		Hosts: []uplink.TopologyHost{
			{Host: a, Name: hostile, State: "unreachable", Domain: "1"}, {Host: b, Name: "db1", State: "up", Domain: "2"},
		},
		Rings: []uplink.TopologyRing{{Level: "site", Name: hostile, Members: []tenancy.HostID{a, b, {}}}},
	}
	text := drawn(t, site, true)
	for _, want := range []string{"room 117", "no zone known", "subnet 10.0.0.0/24", "db1", "<polygon", colourOf("unreachable")} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in the picture", want)
		}
	}
	if strings.Contains(text, "<script") {
		t.Error("what a host says is markup")
	}
	if strings.Contains(drawn(t, site, false), "<polygon") {
		t.Error("rings are drawn that nobody asked for")
	}
	if lines := (pageView{topology: site}).lines(); len(lines) != 2 || lines[1].host.Name != "db1" {
		t.Errorf("the table has %+v", lines)
	}
}

func TestAPictureHasBounds(t *testing.T) {
	var site uplink.Topology
	for i := range 3 * maxDrawn {
		s := uplink.TopologySwitch{Domain: fmt.Sprint(i), Chassis: fmt.Sprint("mac ", i), State: "up"}
		for range 2 * maxDrawnHost {
			h := uplink.TopologyHost{Host: tenancy.NewID[tenancy.HostID](), Domain: s.Domain, Name: "h", State: "up"}
			site.Hosts = append(site.Hosts, h)
		}
		site.Switches = append(site.Switches, s)
	}
	if text := drawn(t, site, true); !strings.Contains(text, "and 240 more") || strings.Count(text, "<circle") != maxDrawn*maxDrawnHost {
		t.Errorf("%d hosts are drawn", strings.Count(text, "<circle"))
	}
}

func TestAnswersOfSeveralRelaysAreOne(t *testing.T) {
	a, b := tenancy.NewID[tenancy.HostID](), tenancy.NewID[tenancy.HostID]()
	port := func(id tenancy.HostID) uplink.TopologyPort {
		return uplink.TopologyPort{Port: "1", Host: id, Interface: "eth0", Protocol: "lldp"}
	}
	first := uplink.Topology{
		Relay: "r1", Zones: []uplink.TopologyZone{{Name: "z", Hosts: 1, State: "up"}},
		Switches: []uplink.TopologySwitch{{Domain: "d", Chassis: "mac 1", Ports: []uplink.TopologyPort{port(a)}}},
		Hosts:    []uplink.TopologyHost{{Host: a, Name: "a", State: "up", Domain: "d", Zone: "z"}, {Host: b, Name: "stale", State: "silent", Domain: "d"}},
	}
	second := uplink.Topology{
		Relay: "r2", Zones: []uplink.TopologyZone{{Name: "z", Hosts: 1, State: "up"}},
		Switches: []uplink.TopologySwitch{{Domain: "d", Chassis: "mac 1", Ports: []uplink.TopologyPort{port(b)}}},
		Hosts:    []uplink.TopologyHost{{Host: b, Name: "b", State: "up", Domain: "d", Zone: "z"}},
	}
	for _, order := range [][]uplink.Topology{{first, second}, {second, first}} {
		all := merge(order)
		if len(all.Switches) != 1 || len(all.Switches[0].Ports) != 2 || len(all.Hosts) != 2 || all.Relay != "r1, r2" || all.Zones[0].Hosts != 2 {
			t.Fatalf("%+v", all)
		}
		for _, h := range all.Hosts {
			if h.Host == b && h.Name != "b" {
				t.Errorf("the relay that has no port of the host won: %+v", h)
			}
		}
		// merge appends to what it is given.
		first.Switches[0].Ports, second.Switches[0].Ports = []uplink.TopologyPort{port(a)}, []uplink.TopologyPort{port(b)}
	}
}
