package ring

import (
	"fmt"
	"testing"
)

// TestRiskIsSpread: guests of one hypervisor, which come together, do not watch
// each other.
func TestRiskIsSpread(t *testing.T) {
	random, s := seed(t), New(self)
	join := func(n int) {
		s.Join(Member{ID: id(n), Domain: "switch", Risk: fmt.Sprint("hypervisor ", n/25)})
	}
	for n := range 500 { // on 20 hypervisors
		join(n)
	}
	joined := sharing(s)
	for range 5000 {
		n := random.IntN(500)
		if s.Leave(id(n)) == nil {
			join(n)
		}
	}
	audit(t, s)
	t.Logf("edges between guests of one hypervisor: %d of %d after the joins, %d of %d after leaves and joins (by chance they would be %d)",
		joined, 500, sharing(s), s.Len(), 500*24/499)
	if joined > 2 || sharing(s) > 2 {
		t.Error("guests of one hypervisor watch each other")
	}

	alone := New(self)
	for n := range 10 {
		alone.Join(Member{ID: id(n), Risk: "the only hypervisor"})
	}
	audit(t, alone) // where there is no choice there is a ring all the same
}

// TestRiskLearntLater: the hypervisor is known after the host is.
func TestRiskLearntLater(t *testing.T) {
	s := New(self)
	for n := range 100 {
		s.Join(member(n, "", ""))
	}
	for n := range 100 {
		s.Move(Member{ID: id(n), Risk: fmt.Sprint(n / 10)})
	}
	audit(t, s)
	if found := sharing(s); found > 0 {
		t.Errorf("%d edges between guests of one hypervisor", found)
	}
}

// sharing counts edges whose ends share a risk.
func sharing(s *State) int {
	count := 0
	for _, n := range s.hosts {
		for _, e := range n.host.edges {
			if shareRisk(n, e.peer) {
				count++
			}
		}
	}
	return count / 2
}

// TestBeatsStayLocal: 2 zones, 12 switches, 500 hosts.
func TestBeatsStayLocal(t *testing.T) {
	s := New(self)
	for n := range 500 {
		s.Join(member(n, fmt.Sprint("zone ", n%12%2), fmt.Sprint("switch ", n%12)))
	}
	audit(t, s)
	all, offSwitch, offZone, most := 0, 0, 0, 0
	count := func(n *node) {
		most = max(most, len(n.host.edges))
		for _, e := range n.host.edges { // each end sends one beat in each interval
			all++
			if e.peer.parent != n.parent {
				offSwitch++
			}
			if e.level > Zone {
				offZone++
			}
		}
	}
	count(s.relay)
	for _, n := range s.hosts {
		count(n)
	}
	share := func(n int) float64 { return 100 * float64(n) / float64(all) }
	t.Logf("2 zones, 12 switches, 500 hosts: of %d beats per interval %d (%.1f %%) leave their switch (goal: at most 4 %%), %d (%.1f %%) their zone; a host has at most %d neighbours",
		all, offSwitch, share(offSwitch), offZone, share(offZone), most)
	if share(offSwitch) > 4 {
		t.Error("more than 4 % of the beats leave their switch")
	}
}
