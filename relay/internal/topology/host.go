package topology

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
	"unique"

	"assimilation/discovery/network"
	"assimilation/discovery/switchport"
)

// Bounds of what is kept of one host's word.
const (
	maxPorts = 64
	maxLinks = 1024
	maxText  = 255 // bytes of a name
)

// port is a neighbour's port, as far as the map and its view need it.
type port struct {
	device   string
	protocol string
	lldp     bool
	id       string
	about    string
	vlan     int64
	neighbour
}

// neighbour is the switch as one host was told of it. Hosts behind one switch
// share it: a site has many of them.
type neighbour struct{ unique.Handle[told] }

// told is what a switch says of itself.
type told struct {
	chassis     string
	name        string
	description string
	management  string // joined by newlines
	forwards    bool   // it says so, or does not say what it is
	location
}

// location is what LLDP-MED says of where the switch stands.
type location struct {
	latitude, longitude, altitude string
	civic                         string // "element\x00value" joined by newlines, as the fact is sorted
	elin                          string
}

// link is an interface.
type link struct {
	name, master, parent string
	addresses            []netip.Prefix // with the host's own address, not masked
}

// read takes in a fact's body.
func (h *host) read(kind string, body []byte) {
	switch kind {
	case switchport.Kind.Name:
		h.ports = readPorts(body)
	case network.Kind.Name:
		h.links, h.routes = readNetwork(body)
	}
}

func readPorts(body []byte) []port {
	var facts switchport.Facts
	if json.Unmarshal(body, &facts) != nil {
		return nil
	}
	var ports []port
	for _, p := range facts.Ports[:min(len(facts.Ports), maxPorts)] {
		if p.Chassis == "" || strings.HasPrefix(p.Chassis, subnetPrefix) || !plain(p.Chassis) || !plain(p.Port) || !plain(p.Interface) {
			continue
		}
		t := told{
			chassis: p.Chassis, name: text(p.Name), description: text(p.Description), forwards: forwards(p.Capabilities),
			location: location{latitude: text(p.Latitude), longitude: text(p.Longitude), altitude: text(p.Altitude), elin: text(p.ELIN)},
		}
		t.management = join(p.Management)
		var civic []string
		for _, c := range p.Civic {
			if c.Element != "" && c.Value != "" && plain(c.Element) && plain(c.Value) {
				civic = append(civic, c.Element+"\x00"+c.Value)
			}
		}
		t.civic = strings.Join(civic[:min(len(civic), maxPorts)], "\n")
		ports = append(ports, port{
			device: p.Interface, protocol: text(p.Protocol), lldp: strings.HasPrefix(p.Protocol, "lldp"), id: p.Port, about: text(p.PortDescription),
			vlan: p.VLAN, neighbour: neighbour{unique.Make(t)},
		})
	}
	return ports
}

// forwards reports whether who has these capabilities joins hosts. A station is
// another host, seen through a switch that tells nothing.
func forwards(capabilities []string) bool {
	return len(capabilities) == 0 || slices.ContainsFunc(capabilities, func(c string) bool {
		return c == "bridge" || c == "router" || c == "wlan-ap" || c == "repeater"
	})
}

func readNetwork(body []byte) (links []link, defaults []string) {
	var facts network.Facts
	if json.Unmarshal(body, &facts) != nil {
		return nil, nil
	}
	for _, l := range facts.Links[:min(len(facts.Links), maxLinks)] {
		if l.Private || l.Type == "loopback" {
			continue
		}
		k := link{name: l.Name, master: l.Master, parent: l.Parent}
		for _, a := range l.Addresses[:min(len(l.Addresses), maxPorts)] {
			ip, err := netip.ParseAddr(a.IP)
			if err != nil || ip.IsLinkLocalUnicast() || a.Prefix < 0 || a.Prefix > int64(ip.BitLen()) {
				continue
			}
			k.addresses = append(k.addresses, netip.PrefixFrom(ip, int(a.Prefix)))
		}
		links = append(links, k)
	}
	return links, defaultDevices(facts.Routes)
}

const mainTable = 254 // rtnetlink(7), RT_TABLE_MAIN

// defaultDevices lists the devices of the main table's default routes: IPv4
// before IPv6, then by metric.
func defaultDevices(routes []network.Route) []string {
	routes = slices.DeleteFunc(slices.Clone(routes), func(r network.Route) bool {
		return r.Table != mainTable || r.Type != "unicast" || r.Destination != "0.0.0.0/0" && r.Destination != "::/0"
	})
	slices.SortStableFunc(routes, func(a, b network.Route) int {
		if a.Family != b.Family {
			return strings.Compare(a.Family, b.Family) // inet, inet6
		}
		return int(min(max(a.Metric-b.Metric, -1), 1))
	})
	var devices []string
	for _, r := range routes[:min(len(routes), maxPorts)] {
		if r.Device != "" {
			devices = append(devices, r.Device)
		}
		for _, hop := range r.NextHops[:min(len(r.NextHops), maxPorts)] {
			devices = append(devices, hop.Device)
		}
	}
	return devices
}

func plain(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// text is s where it is fit to be shown.
func text(s string) string {
	if !plain(s) {
		return ""
	}
	return s
}

func join(list []string) string {
	var kept []string
	for _, s := range list[:min(len(list), maxPorts)] {
		if s != "" && plain(s) {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, "\n")
}
