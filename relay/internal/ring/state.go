package ring

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// State is the rings of a site, or of the part of it that one relay serves. The
// same events in the same order make the same rings. It is not safe for
// concurrent use.
type State struct {
	site    *node
	relay   *node
	hosts   map[ID]*node
	zones   map[string]*node
	domains map[domainKey]*domain
	named   map[string][]*domain // by their name alone, in order of appearance
	random  *rand.Rand
}

// domainKey names a switch ring. A switch whose members are said to be in two
// zones has a ring in each.
type domainKey struct{ zone, domain string }

// domain is a switch's node and its hosts, listed so that one can be drawn.
type domain struct {
	*node
	hosts []*node
}

// New returns the rings of a relay that has no hosts yet.
func New(self ID) *State {
	relay := &node{host: &host{Member: Member{ID: self}}}
	site := &node{}
	site.insert(relay, nil)
	return &State{
		site: site, relay: relay,
		hosts: map[ID]*node{}, zones: map[string]*node{}, domains: map[domainKey]*domain{}, named: map[string][]*domain{},
		random: rand.New(rand.NewPCG(binary.BigEndian.Uint64(self[:]), binary.BigEndian.Uint64(self[8:]))),
	}
}

// Len returns how many hosts there are.
func (s *State) Len() int { return len(s.hosts) }

// Join takes a host in and returns what changed, the host's own neighbours
// among it. One that is in already is moved.
func (s *State) Join(m Member) []Order { return s.Move(m) }

// Leave takes a host out. It is not an error if it is not in.
func (s *State) Leave(id ID) []Order {
	n := s.hosts[id]
	if n == nil {
		return nil
	}
	var c changes
	s.takeOut(n, &c)
	delete(s.hosts, id)
	c.forget(n)
	return c.orders()
}

// Move puts a host where it stands now and returns what changed in the rings
// that it left and in those it came to, each member once.
func (s *State) Move(m Member) []Order {
	n := s.hosts[m.ID]
	switch {
	case m.ID == s.relay.host.ID:
		return nil
	case n == nil:
		n = &node{host: &host{}}
		s.hosts[m.ID] = n
	case n.host.Member == m:
		return nil
	case n.host.Domain == m.Domain && n.host.Zone == m.Zone:
		n.host.Risk = m.Risk
		if !shareRisk(n.prev, n) && !shareRisk(n, n.next) {
			return nil
		}
	}
	var c changes
	if n.parent != nil {
		s.takeOut(n, &c)
	}
	n.host.Member = m
	s.putIn(n, &c)
	return c.orders()
}

// Neighbours returns those of a host, or of the relay, sorted by ID.
func (s *State) Neighbours(id ID) []Neighbour {
	n := s.hosts[id]
	if id == s.relay.host.ID {
		n = s.relay
	}
	if n == nil {
		return nil
	}
	return sorted(n.host.edges)
}

func sorted(edges []edge) []Neighbour {
	list := make([]Neighbour, len(edges))
	for i, e := range edges {
		list[i] = Neighbour{e.peer.host.ID, e.level}
	}
	slices.SortFunc(list, func(a, b Neighbour) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return list
}

// DomainMembers returns the hosts of a switch or subnet, in no order.
func (s *State) DomainMembers(name string) []ID {
	var ids []ID
	for _, d := range s.named[name] {
		for _, n := range d.hosts {
			ids = append(ids, n.host.ID)
		}
	}
	return ids
}

// Rings returns every ring, those of switches before that of their zone and the
// site's last. A zone of one switch has none of its own.
func (s *State) Rings() []Ring {
	if len(s.hosts) == 0 {
		return nil
	}
	var rings []Ring
	for zone := s.relay.next; zone != s.relay; zone = zone.next {
		for _, d := range zone.children() {
			rings = append(rings, Ring{Level: Switch, Name: d.name, Zone: zone.name, Members: d.cycle()})
		}
		if zone.size > 1 {
			rings = append(rings, Ring{Level: Zone, Name: zone.name, Members: zone.cycle()})
		}
	}
	return append(rings, Ring{Level: s.site.level(), Members: s.site.cycle()})
}

// children returns them in the order of their cycle.
func (n *node) children() []*node {
	list := make([]*node, 0, n.size)
	for child := n.first; len(list) < n.size; child = child.next {
		list = append(list, child)
	}
	return list
}

// cycle returns who stands for n's children, in order.
func (n *node) cycle() []ID {
	var ids []ID
	for _, child := range n.children() {
		ids = append(ids, child.in().host.ID)
		if child.out() != child.in() {
			ids = append(ids, child.out().host.ID)
		}
	}
	return ids
}
