package ring

import (
	"fmt"
	"slices"
)

// Audit checks all that must hold between events, over every ring: it is for
// tests and for a doctor.
func (s *State) Audit() error {
	hosts, domains := 0, 0
	for _, zone := range s.site.children() {
		if zone == s.relay {
			continue
		}
		if s.zones[zone.name] != zone || zone.parent != s.site || zone.size == 0 {
			return fmt.Errorf("zone %q is not in its place", zone.name)
		}
		for _, d := range zone.children() {
			n, err := s.auditDomain(zone, d)
			if err != nil {
				return fmt.Errorf("switch %q of zone %q: %w", d.name, zone.name, err)
			}
			hosts += n
			domains++
		}
	}
	if hosts != len(s.hosts) || domains != len(s.domains) || s.site.size != len(s.zones)+1 {
		return fmt.Errorf("the rings have %d hosts, %d switches and %d zones, the lists %d, %d and %d",
			hosts, domains, s.site.size-1, len(s.hosts), len(s.domains), len(s.zones))
	}
	if want := min(2, hosts); len(s.relay.host.edges) != want {
		return fmt.Errorf("the relay has %d neighbours, not %d", len(s.relay.host.edges), want)
	}
	return s.auditRings()
}

// auditDomain checks a switch's ring and returns how many hosts it has.
func (s *State) auditDomain(zone, at *node) (int, error) {
	d := s.domains[domainKey{zone.name, at.name}]
	if d == nil || d.node != at || d.parent != zone || d.size == 0 || d.size != len(d.hosts) || !slices.Contains(s.named[d.name], d) {
		return 0, fmt.Errorf("it is not in its place, or lists %d hosts of %d", len(d.hosts), at.size)
	}
	outside := map[*node]bool{}
	for i, n := range d.children() {
		h := n.host
		if s.hosts[h.ID] != n || n.parent != d.node || n.next.prev != n || d.hosts[h.place] != n || h.Zone != zone.name || h.Domain != d.name {
			return 0, fmt.Errorf("host %d (%x) is not in its place", i, h.ID)
		}
		if len(h.edges) > MaxNeighbours || len(h.edges) < min(2, len(s.hosts)) || !sameEdges(h.edges, n.neighbours(nil)) {
			return 0, fmt.Errorf("host %x was ordered %d neighbours and has %d", h.ID, len(h.edges), len(n.neighbours(nil)))
		}
		for _, e := range h.edges {
			if !slices.Contains(e.peer.host.edges, edge{n, e.level}) {
				return 0, fmt.Errorf("host %x is not a neighbour of its neighbour %x", h.ID, e.peer.host.ID)
			}
			if e.peer.parent != d.node {
				outside[e.peer] = true
			}
		}
	}
	if d.size > 1 && d.in() == d.out() || d.first.next != d.out() {
		return 0, fmt.Errorf("one host stands for %d", d.size)
	}
	if want := min(2, len(s.hosts)-d.size+1); len(outside) < want {
		return 0, fmt.Errorf("it is seen by %d from outside, not %d", len(outside), want)
	}
	return d.size, nil
}

// auditRings checks that each ring is one cycle of neighbours.
func (s *State) auditRings() error {
	for _, r := range s.Rings() {
		seen := map[ID]bool{}
		for i, id := range r.Members {
			next := r.Members[(i+1)%len(r.Members)]
			isNext := func(n Neighbour) bool { return n.ID == next }
			if seen[id] || id != next && !slices.ContainsFunc(s.Neighbours(id), isNext) {
				return fmt.Errorf("ring %q (level %d) is not a cycle at its member %d of %d", r.Name, r.Level, i, len(r.Members))
			}
			seen[id] = true
		}
	}
	return nil
}
