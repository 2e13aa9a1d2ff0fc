package topology

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// Bounds of an answer: a relay serves some 100,000 hosts.
const (
	maxHosts = 200_000
	maxParts = 200_000 // zones, switches, ports and members of rings, each
	maxText  = 4096    // bytes
	// What JSON takes no room for may take much when it is read: "{}," is a switch.
	// The longest answer of a relay has fewer than half so many.
	maxObjects = 600_000
	maxValues  = 4_000_000
)

// weigh refuses what would take too much memory to read.
func weigh(body []byte) error {
	objects, values, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			objects++
			values++
		case c == ',' || c == '[':
			values++
		}
	}
	if objects > maxObjects || values > maxValues {
		return &wire.Error{Reason: wire.TooLarge, What: "topology of more than a site can have"}
	}
	return nil
}

// check refuses what no relay would say.
func check(t uplink.Topology) error {
	ports, members := 0, 0
	ok := texts(t.Relay)
	for _, z := range t.Zones {
		ok = ok && texts(z.Name, z.State) && place(z.Place)
	}
	for _, s := range t.Switches {
		ok = ok && texts(s.Domain, s.Chassis, s.Name, s.Description, s.Subnet, s.Zone, s.State) && texts(s.Management...) && place(s.Place)
		ports += len(s.Ports)
		for _, p := range s.Ports {
			ok = ok && texts(p.Port, p.Description, p.Interface, p.Protocol)
		}
	}
	for _, h := range t.Hosts {
		ok = ok && texts(h.Name, h.State, h.Domain, h.Zone, h.Address)
	}
	for _, r := range t.Rings {
		ok = ok && texts(r.Level, r.Name)
		members += len(r.Members)
	}
	switch {
	case len(t.Hosts) > maxHosts || len(t.Zones) > maxParts || len(t.Switches) > maxParts || len(t.Rings) > maxParts || ports > maxParts || members > 2*maxParts:
		return &wire.Error{Reason: wire.TooLarge, What: "topology of more than a site can have"}
	case !ok:
		return &wire.Error{Reason: wire.Malformed, What: "topology with text that is too long or not plain"}
	}
	return nil
}

func texts(all ...string) bool {
	for _, s := range all {
		if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return false
		}
	}
	return true
}

func place(p *uplink.TopologyPlace) bool {
	if p == nil {
		return true
	}
	ok := texts(p.Latitude, p.Longitude, p.Altitude, p.ELIN) && len(p.Civic) <= 256
	for name, value := range p.Civic {
		ok = ok && texts(name, value)
	}
	return ok
}

// only leaves out hosts that are not among those given. The relay, a member of
// rings too, is the zero id.
func only(t uplink.Topology, hosts []tenancy.HostID) uplink.Topology {
	known := make(map[tenancy.HostID]bool, len(hosts)+1)
	for _, id := range hosts {
		known[id] = true
	}
	t.Hosts = slices.DeleteFunc(t.Hosts, func(h uplink.TopologyHost) bool { return !known[h.Host] })
	for i := range t.Switches {
		t.Switches[i].Ports = slices.DeleteFunc(t.Switches[i].Ports, func(p uplink.TopologyPort) bool { return !known[p.Host] })
	}
	known[tenancy.HostID{}] = true
	for i := range t.Rings {
		t.Rings[i].Members = slices.DeleteFunc(t.Rings[i].Members, func(id tenancy.HostID) bool { return !known[id] })
	}
	return t
}

// merge puts the answers of a site's relays together. They name domains alike;
// of a host that several tell of, the word of the one to whom it is wired
// counts.
func merge(parts []uplink.Topology) uplink.Topology {
	slices.SortFunc(parts, func(a, b uplink.Topology) int { return cmp.Compare(a.Relay, b.Relay) })
	all := uplink.Topology{Zones: []uplink.TopologyZone{}, Switches: []uplink.TopologySwitch{}, Hosts: []uplink.TopologyHost{}, Rings: []uplink.TopologyRing{}}
	switches, zones, hosts := map[string]int{}, map[string]int{}, map[tenancy.HostID]int{}
	ports := map[portAt]bool{}
	var relays []string
	for _, t := range parts {
		relays = append(relays, t.Relay)
		if t.At.After(all.At) {
			all.At = t.At
		}
		wired := map[tenancy.HostID]bool{}
		for _, s := range t.Switches {
			for _, p := range s.Ports {
				wired[p.Host] = true
			}
			s.Ports = slices.DeleteFunc(s.Ports, func(p uplink.TopologyPort) bool {
				at := portAt{s.Domain, p}
				known := ports[at]
				ports[at] = true
				return known
			})
			if i, known := switches[s.Domain]; known {
				joinSwitch(&all.Switches[i], s)
				continue
			}
			switches[s.Domain] = len(all.Switches)
			all.Switches = append(all.Switches, s)
		}
		for _, h := range t.Hosts {
			i, known := hosts[h.Host]
			switch {
			case !known:
				hosts[h.Host] = len(all.Hosts)
				all.Hosts = append(all.Hosts, h)
			case wired[h.Host]:
				all.Hosts[i] = h
			}
		}
		for _, z := range t.Zones {
			if i, known := zones[z.Name]; known {
				if all.Zones[i].Place == nil {
					all.Zones[i].Place = z.Place
				}
				continue
			}
			zones[z.Name] = len(all.Zones)
			all.Zones = append(all.Zones, z)
		}
		all.Rings = append(all.Rings, t.Rings...)
	}
	count(all.Zones, zones, all.Hosts)
	all.Relay = strings.Join(relays, ", ")
	return all
}

// portAt is a port of a domain.
type portAt struct {
	domain string
	uplink.TopologyPort
}

// joinSwitch adds what another relay says of the same switch: other ports.
func joinSwitch(s *uplink.TopologySwitch, other uplink.TopologySwitch) {
	ports := append(s.Ports, other.Ports...)
	if s.Chassis == "" {
		*s = other
	}
	s.Ports = ports
}

// count says how many hosts are in each zone, of all relays together, and whether
// any can be reached.
func count(zones []uplink.TopologyZone, index map[string]int, hosts []uplink.TopologyHost) {
	for i := range zones {
		zones[i].Hosts, zones[i].State = 0, "down"
	}
	for _, h := range hosts {
		i, known := index[h.Zone]
		if !known {
			continue
		}
		zones[i].Hosts++
		if h.State != string(uplink.Unreachable) {
			zones[i].State = "up"
		}
	}
}
