// Package topology knows where the site's hosts stand: behind which switch or in
// which subnet, in which rack, room or building.
//
// It reads the facts "switchport" and "network" and the hosts' labels, and it
// leaves out what it cannot make sense of: a probe may say anything about its
// own host, and its word moves no other.
package topology

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"assimilation/discovery/network"
	"assimilation/discovery/switchport"
	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Place is where a host stands, as the rings have to know it.
type Place struct {
	ring.Member
	// Switch: Domain is a switch that told of itself. Otherwise it is a subnet, and
	// what hosts of it have in common is a guess.
	Switch bool
}

// Map is where all hosts stand. It owns no goroutine; its methods are safe for
// concurrent use.
type Map struct {
	moved func(Place)

	mu     sync.Mutex
	hosts  map[tenancy.HostID]*host
	places map[string]string // Policy.Places
}

// host is what is known of one.
type host struct {
	labels  map[string]string
	address netip.Addr
	ports   []port
	links   []link
	routes  []string // devices of the default routes, the best first
	// elsewhere is where another relay of the site, which serves the host, says that
	// it stands: this one has no facts of it.
	elsewhere string
	place     Place
	told      bool // moved was called with place
}

// New makes a map without hosts. moved is called when a host stands somewhere
// else than before, or is new, from the goroutine that told the map so and after
// the map has changed; it may call the map.
func New(moved func(Place)) *Map {
	return &Map{moved: moved, hosts: map[tenancy.HostID]*host{}}
}

// Kinds are the kinds of facts that the map reads.
func Kinds() []string { return []string{switchport.Kind.Name, network.Kind.Name} }

// Load reads what the store knows, and then calls moved for every host.
func (m *Map) Load(ctx context.Context, s *store.Store, policy uplink.Policy) error {
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return fmt.Errorf("reading where hosts stand: %w", err)
	}
	m.mu.Lock()
	m.places = policy.Places
	for _, h := range hosts {
		known := &host{}
		known.greet(h)
		m.hosts[h.ID] = known
	}
	m.mu.Unlock()
	for _, kind := range Kinds() {
		err := s.EachFact(ctx, kind, func(f store.Fact, body []byte) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if h := m.hosts[f.Host]; h != nil {
				h.read(kind, body)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading where hosts stand: %w", err)
		}
	}
	for _, h := range hosts {
		m.change(h.ID, func(*host) {})
	}
	return nil
}

// Place is where a host stands; false if it is not known.
func (m *Map) Place(id tenancy.HostID) (Place, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.hosts[id]; h != nil && h.told {
		return h.place, true
	}
	return Place{}, false
}

// Host takes in what a host says of itself when it enrols or greets: its labels,
// and where its session comes from.
func (m *Map) Host(h store.Host) {
	m.mu.Lock()
	if m.hosts[h.ID] == nil {
		m.hosts[h.ID] = &host{}
	}
	m.mu.Unlock()
	m.change(h.ID, func(known *host) { known.greet(h) })
}

func (h *host) greet(as store.Host) {
	h.labels, h.address, h.elsewhere = as.AllLabels(), addressOf(as), ""
	if !as.ServedBy.IsZero() {
		h.elsewhere = as.Domain
	}
}

// Gone forgets a host.
func (m *Map) Gone(id tenancy.HostID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.hosts, id)
}

// FactPut takes in a fact of a host that Host told of, if it is one of Kinds. A
// body that cannot be read says nothing.
func (m *Map) FactPut(id tenancy.HostID, kind string, body []byte) {
	if slices.Contains(Kinds(), kind) {
		m.change(id, func(h *host) { h.read(kind, body) })
	}
}

// FactGone takes in that a fact is gone.
func (m *Map) FactGone(id tenancy.HostID, kind string) { m.FactPut(id, kind, nil) }

// SetPolicy takes in the tenant's policy of the site.
func (m *Map) SetPolicy(p uplink.Policy) {
	m.mu.Lock()
	m.places = p.Places
	ids := make([]tenancy.HostID, 0, len(m.hosts))
	for id := range m.hosts {
		ids = append(ids, id)
	}
	m.mu.Unlock()
	for _, id := range ids {
		m.change(id, func(*host) {})
	}
}

// change lets edit alter what is known of a host, and tells if it has moved.
func (m *Map) change(id tenancy.HostID, edit func(*host)) {
	m.mu.Lock()
	h := m.hosts[id]
	if h == nil {
		m.mu.Unlock()
		return
	}
	edit(h)
	place := m.locate(id, h)
	told := !h.told || place != h.place
	h.place, h.told = place, true
	m.mu.Unlock()
	if told {
		m.moved(place)
	}
}

func addressOf(h store.Host) netip.Addr {
	from, err := netip.ParseAddrPort(h.Address)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}
