package topology

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"assimilation/relay/internal/ring"
	"assimilation/tenancy"
)

// locate decides where a host stands. m.mu is held.
func (m *Map) locate(id tenancy.HostID, h *host) Place {
	device, subnet := h.uplink()
	place := Place{Member: ring.Member{ID: ring.ID(id.UUID), Domain: subnet, Risk: risk(h.labels)}}
	at, found := h.port(device)
	if found {
		place.Domain, place.Switch = at.Value().chassis, true
	}
	if h.elsewhere != "" {
		place.Domain, place.Switch = h.elsewhere, !strings.HasPrefix(h.elsewhere, subnetPrefix)
	}
	place.Zone = m.zone(h.labels, at, found)
	return place
}

// uplink is the interface by which the host is in touch with the site, and its
// subnet: the one that has the session's address (a router may have changed
// that), else that of the default route.
func (h *host) uplink() (device, subnet string) {
	for _, l := range h.links {
		for _, a := range l.addresses {
			if a.Addr() == h.address {
				return l.name, subnetOf(a)
			}
		}
	}
	for _, device := range h.routes {
		for _, l := range h.links {
			if l.name != device {
				continue
			}
			if len(l.addresses) == 0 {
				return device, ""
			}
			return device, subnetOf(l.addresses[0])
		}
	}
	return "", ""
}

// subnetPrefix begins the domain of hosts whose switch is not known.
const subnetPrefix = "subnet "

func subnetOf(a netip.Prefix) string { return subnetPrefix + a.Masked().String() }

// port is the switch port that joins a device, or what the device is made of
// (the members of a bond or bridge, the link under a VLAN), to the site. Who
// speaks LLDP comes before who speaks CDP only, which an old switch may pass on;
// then the chassis that sorts first, so that every look finds the same.
func (h *host) port(device string) (at port, found bool) {
	devices := h.under(device)
	for _, p := range h.ports {
		if !p.Value().forwards || !slices.Contains(devices, p.device) {
			continue
		}
		if !found || p.before(at) {
			at, found = p, true
		}
	}
	return at, found
}

func (p port) before(q port) bool {
	if p.lldp != q.lldp {
		return p.lldp
	}
	return p.Value().chassis < q.Value().chassis
}

// under lists a device and what it stands on.
func (h *host) under(device string) []string {
	if device == "" {
		return nil
	}
	devices := []string{device}
	for i := 0; i < len(devices) && len(devices) < maxPorts; i++ {
		for _, l := range h.links {
			below := ""
			switch devices[i] {
			case l.master:
				below = l.name
			case l.name:
				below = l.parent
			}
			if below != "" && !slices.Contains(devices, below) {
				devices = append(devices, below)
			}
		}
	}
	return devices
}

// risk is what people say of what falls together: a guest cannot see which
// machine it runs on.
func risk(labels map[string]string) string {
	if v := labels["risk"]; v != "" {
		return v
	}
	return labels["hypervisor"]
}

// zone is the host's place, from the most deliberate word to the least.
func (m *Map) zone(labels map[string]string, at port, wired bool) string {
	if zone := labels["zone"]; zone != "" {
		return zone
	}
	if zone := joined(labels["building"], labels["room"], labels["rack"]); zone != "" {
		return zone
	}
	if zone := m.given(labels, at, wired); zone != "" || !wired {
		return zone
	}
	return at.Value().zone()
}

// given is what the tenant's policy says. Of several labels that it names the
// one that sorts first counts.
func (m *Map) given(labels map[string]string, at port, wired bool) string {
	first, zone := "", ""
	for name, value := range labels {
		if place, ok := m.places[name+"="+value]; ok && (first == "" || name < first) {
			first, zone = name, place
		}
	}
	if zone == "" && wired {
		zone = m.places[at.Value().chassis]
	}
	return zone
}

// zone is a place made of LLDP-MED's words.
func (l location) zone() string {
	civic := l.elements()
	if zone := joined(civic["building"], civic["floor"], civic["room"]); zone != "" {
		return zone
	}
	latitude, okLatitude := rounded(l.latitude, 90)
	longitude, okLongitude := rounded(l.longitude, 180)
	if okLatitude && okLongitude {
		return latitude + " " + longitude
	}
	return ""
}

// rounded makes places of some 100 m: 0.001 degrees.
func rounded(degrees string, most float64) (string, bool) {
	v, err := strconv.ParseFloat(degrees, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > most {
		return "", false
	}
	return fmt.Sprintf("%.3f", math.Round(v*1000)/1000+0), true // +0: no "-0.000"
}

func (l location) elements() map[string]string {
	if l.civic == "" {
		return nil
	}
	civic := map[string]string{}
	for line := range strings.SplitSeq(l.civic, "\n") {
		name, value, _ := strings.Cut(line, "\x00")
		civic[name] = value
	}
	return civic
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "/")
}
