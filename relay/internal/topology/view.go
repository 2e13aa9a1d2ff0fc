package topology

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Scene is what a view shows beside the places.
type Scene struct {
	Relay string // its name
	At    time.Time
	Hosts []store.Host // their names and states
	Rings []uplink.TopologyRing
	// Opaque is a domain's name in verdicts.
	Opaque func(domain string) [16]byte
}

// View is the whole of the site, each list sorted.
func (m *Map) View(s Scene) uplink.Topology {
	v := view{Scene: s, switches: map[string]*domain{}, zones: map[string]*zone{}}
	hosts := make([]uplink.TopologyHost, 0, len(s.Hosts))
	m.mu.Lock()
	for _, h := range s.Hosts {
		if known := m.hosts[h.ID]; known != nil {
			hosts = append(hosts, v.add(h, known))
		}
	}
	m.mu.Unlock()
	slices.SortFunc(hosts, func(a, b uplink.TopologyHost) int {
		if by := strings.Compare(a.Name, b.Name); by != 0 {
			return by
		}
		return strings.Compare(a.Host.String(), b.Host.String())
	})
	t := uplink.Topology{
		Relay: s.Relay, At: s.At.UTC(), Hosts: hosts, Rings: s.Rings,
		Zones: []uplink.TopologyZone{}, Switches: []uplink.TopologySwitch{}, // lists in JSON, never null
	}
	if t.Rings == nil {
		t.Rings = []uplink.TopologyRing{}
	}
	for _, name := range slices.Sorted(maps.Keys(v.switches)) {
		d := v.switches[name]
		d.State = d.state()
		slices.SortFunc(d.Ports, func(a, b uplink.TopologyPort) int {
			if by := strings.Compare(a.Port, b.Port); by != 0 {
				return by
			}
			return strings.Compare(a.Host.String()+a.Interface, b.Host.String()+b.Interface)
		})
		t.Switches = append(t.Switches, d.TopologySwitch)
	}
	for _, name := range slices.Sorted(maps.Keys(v.zones)) {
		z := v.zones[name]
		z.State, z.Hosts = z.state(), z.all
		t.Zones = append(t.Zones, z.TopologyZone)
	}
	return t
}

// view gathers what hosts stand behind and in.
type view struct {
	Scene
	switches map[string]*domain
	zones    map[string]*zone
}

type domain struct {
	uplink.TopologySwitch
	reach
}

type zone struct {
	uplink.TopologyZone
	reach
}

// reach counts hosts, and those that cannot be reached for what they are in is
// down.
type reach struct{ all, unreachable int }

func (r *reach) count(s uplink.State) {
	r.all++
	if s == uplink.Unreachable {
		r.unreachable++
	}
}

func (r *reach) state() string {
	if r.all > 0 && r.unreachable == r.all {
		return "down"
	}
	return "up"
}

func (v *view) add(h store.Host, known *host) uplink.TopologyHost {
	place := known.place
	at := v.domain(place.Domain)
	at.count(h.State)
	if !place.Switch {
		at.Subnet = strings.TrimPrefix(place.Domain, subnetPrefix)
	}
	at.Zone = place.Zone
	if place.Zone != "" {
		if v.zones[place.Zone] == nil {
			v.zones[place.Zone] = &zone{TopologyZone: uplink.TopologyZone{Name: place.Zone}}
		}
		v.zones[place.Zone].count(h.State)
	}
	for _, p := range known.ports {
		if p.Value().forwards {
			v.wire(h.ID, p)
		}
	}
	if place.Switch && place.Zone != "" && at.Place != nil && v.zones[place.Zone].Place == nil {
		v.zones[place.Zone].Place = at.Place
	}
	shown := uplink.TopologyHost{Host: h.ID, Name: h.Name, State: string(h.State), Domain: at.Domain, Zone: place.Zone}
	if known.address.IsValid() {
		shown.Address = known.address.String()
	}
	return shown
}

func (v *view) domain(name string) *domain {
	d := v.switches[name]
	if d == nil {
		opaque := v.Opaque(name)
		d = &domain{TopologySwitch: uplink.TopologySwitch{Domain: hex.EncodeToString(opaque[:])}}
		v.switches[name] = d
	}
	return d
}

// wire adds a host's port to its switch. Of what hosts were told of a switch the
// last counts: they differ only while a change of it is on its way.
func (v *view) wire(id tenancy.HostID, p port) {
	t := p.Value()
	d := v.domain(t.chassis)
	d.Chassis, d.Name, d.Description, d.Place = t.chassis, t.name, t.description, t.place()
	if t.management != "" {
		d.Management = strings.Split(t.management, "\n")
	}
	d.Ports = append(d.Ports, uplink.TopologyPort{
		Port: p.id, Description: p.about, VLAN: p.vlan, Host: id, Interface: p.device, Protocol: p.protocol,
	})
}

func (l location) place() *uplink.TopologyPlace {
	if l == (location{}) {
		return nil
	}
	return &uplink.TopologyPlace{Latitude: l.latitude, Longitude: l.longitude, Altitude: l.altitude, Civic: l.elements(), ELIN: l.elin}
}
