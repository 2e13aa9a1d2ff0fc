package topology

import (
	"fmt"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

func TestAnAnswerThatGrowsWhenReadIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"empty switches":   `{"switches":[` + strings.Repeat("{},", uplink.MaxAnswer/3-8) + `{}]}`,
		"empty texts":      `{"switches":[{"management":[` + strings.Repeat(`"",`, uplink.MaxAnswer/3-16) + `""]}]}`,
		"behind a quote":   `{"relay":"\"","switches":[` + strings.Repeat("{},", maxObjects) + `{}]}`,
		"members of rings": `{"rings":[{"members":[` + strings.Repeat("null,", uplink.MaxAnswer/5-16) + `null]}]}`,
	} {
		if err := weigh([]byte(body)); wire.ReasonOf(err) != wire.TooLarge {
			t.Errorf("%s, %d bytes: %v", name, len(body), err)
		}
	}
	for name, body := range map[string]string{
		"nothing":         `{}`,
		"braces in texts": `{"relay":"` + strings.Repeat("{,[", maxValues) + `\\"}`,
	} {
		if err := weigh([]byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each zone times each host, or each port times each port, would take minutes.
func TestTheLargestAnswersAreMergedAtOnce(t *testing.T) {
	var site uplink.Topology
	ports := make([]uplink.TopologyPort, maxParts/2)
	for i := range maxParts {
		id := tenancy.NewID[tenancy.HostID]()
		zone := fmt.Sprint("a zone with a name that is as long as others ", i)
		site.Zones = append(site.Zones, uplink.TopologyZone{Name: zone})
		site.Hosts = append(site.Hosts, uplink.TopologyHost{Host: id, Domain: "d", Zone: zone, State: string(uplink.Unreachable)})
		ports[i%len(ports)] = uplink.TopologyPort{Port: fmt.Sprint(i), Host: id}
	}
	for range 2 {
		site.Switches = append(site.Switches, uplink.TopologySwitch{Domain: "d", Chassis: "mac 1", Ports: append([]uplink.TopologyPort(nil), ports...)})
	}
	all := merge([]uplink.Topology{site})
	if len(all.Zones) != maxParts || all.Zones[7].Hosts != 1 || all.Zones[7].State != "down" || len(all.Switches) != 1 || len(all.Switches[0].Ports) != len(ports) {
		t.Errorf("%d zones, the eighth %+v; %d switches", len(all.Zones), all.Zones[7], len(all.Switches))
	}
}
