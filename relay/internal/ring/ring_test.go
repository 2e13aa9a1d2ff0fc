package ring

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random sequences; 0 draws one, which is printed")

func seed(t *testing.T) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("run again with: go test ./relay/internal/ring -run %s -seed %d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func id(n int) ID { return ID{0xA0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }

var self = ID{1}

func member(n int, zone, domain string) Member { return Member{ID: id(n), Zone: zone, Domain: domain} }

func audit(t *testing.T, s *State) {
	t.Helper()
	if err := s.Audit(); err != nil {
		t.Fatal(err)
	}
}

// TestAnySequence plays joins, leaves and moves against rings of every size, and
// applies the orders to a model, as probes do.
func TestAnySequence(t *testing.T) {
	for _, size := range []struct{ hosts, domains, zones int }{
		{3, 2, 2}, {6, 3, 2}, {12, 12, 12}, {40, 4, 2}, {500, 12, 2}, {2000, 200, 20}, {300, 1, 1},
	} {
		t.Run(fmt.Sprintf("hosts=%d,switches=%d,zones=%d", size.hosts, size.domains, size.zones), func(t *testing.T) {
			random, s, told := seed(t), New(self), map[ID][]Neighbour{}
			var most struct{ join, leave, move int }
			place := func(n int) Member {
				domain := random.IntN(size.domains)
				return Member{
					ID: id(n), Domain: fmt.Sprint("switch ", domain), Zone: fmt.Sprint("zone ", domain%size.zones),
					Risk: fmt.Sprint("hypervisor ", n%20),
				}
			}
			for event := range 10_000 {
				n := random.IntN(size.hosts)
				var orders []Order
				switch in := s.Neighbours(id(n)) != nil; {
				case !in:
					orders = s.Join(place(n))
					most.join = max(most.join, len(orders))
				case random.IntN(2) == 0:
					orders = s.Leave(id(n))
					delete(told, id(n))
					most.leave = max(most.leave, len(orders))
				default:
					orders = s.Move(place(n))
					most.move = max(most.move, len(orders))
				}
				for i, o := range orders {
					if slices.ContainsFunc(orders[:i], func(other Order) bool { return other.Member == o.Member }) {
						t.Fatalf("event %d: %x is told twice", event, o.Member)
					}
					told[o.Member] = o.Neighbours
				}
				if event < 1000 || event%100 == 0 {
					audit(t, s)
					for id, neighbours := range told {
						if !slices.Equal(neighbours, s.Neighbours(id)) {
							t.Fatalf("event %d: %x was told %v and has %v", event, id, neighbours, s.Neighbours(id))
						}
					}
				}
			}
			audit(t, s)
			t.Logf("members told by one event, at most: join %d, leave %d, move %d", most.join, most.leave, most.move)
			if most.join > mostTold || most.leave > mostTold || most.move > 2*mostTold {
				t.Errorf("an event told more than %d members", mostTold)
			}
		})
	}
}

// mostTold bounds the orders of a join or a leave; a move is both.
const mostTold = 10

func TestSmallRings(t *testing.T) {
	type edges map[ID][]ID
	for _, test := range []struct {
		name    string
		members []Member
		want    edges
	}{
		{"one", []Member{member(1, "", "")}, edges{id(1): {self}, self: {id(1)}}},
		{
			"two", []Member{member(1, "", ""), member(2, "", "")},
			edges{id(1): {self, id(2)}, id(2): {self, id(1)}, self: {id(1), id(2)}},
		},
		{
			"two on two switches", []Member{member(1, "", "a"), member(2, "", "b")},
			edges{id(1): {self, id(2)}, id(2): {self, id(1)}, self: {id(1), id(2)}},
		},
		{
			"two in two zones", []Member{member(1, "x", "a"), member(2, "y", "b")},
			edges{id(1): {self, id(2)}, id(2): {self, id(1)}, self: {id(1), id(2)}},
		},
		{
			"three", []Member{member(1, "", ""), member(2, "", ""), member(3, "", "")},
			edges{id(1): {self, id(2), id(3)}, id(2): {self, id(1), id(3)}, id(3): {id(1), id(2)}, self: {id(1), id(2)}},
		},
		{
			"four", []Member{member(1, "", ""), member(2, "", ""), member(3, "", ""), member(4, "", "")},
			edges{self: {id(1), id(2)}},
		},
		{
			"three on three switches", []Member{member(1, "", "a"), member(2, "", "b"), member(3, "", "c")},
			edges{id(1): {self, id(2), id(3)}, id(2): {self, id(1), id(3)}, id(3): {id(1), id(2)}, self: {id(1), id(2)}},
		},
		{
			"two and one", []Member{member(1, "", "a"), member(2, "", "a"), member(3, "", "b")},
			edges{id(1): {id(2), id(3)}, id(2): {self, id(1), id(3)}, id(3): {self, id(1), id(2)}, self: {id(2), id(3)}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(self)
			for _, m := range test.members {
				s.Join(m)
				audit(t, s)
			}
			for id, want := range test.want {
				var got []ID
				for _, n := range s.Neighbours(id) {
					got = append(got, n.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%x has the neighbours %x, want %x", id, got, want)
				}
			}
			for i, m := range test.members {
				s.Leave(m.ID)
				if audit(t, s); s.Len() != len(test.members)-i-1 {
					t.Errorf("%d hosts are left", s.Len())
				}
			}
		})
	}
}

func TestStrangers(t *testing.T) {
	s := New(self)
	if orders := s.Leave(id(1)); orders != nil {
		t.Errorf("the leave of a stranger ordered %v", orders)
	}
	if orders := s.Join(Member{ID: self}); orders != nil || s.Len() != 0 {
		t.Errorf("the relay joined its own rings: %v", orders)
	}
	s.Join(member(1, "", ""))
	if orders := s.Join(member(1, "", "")); orders != nil {
		t.Errorf("a second join ordered %v", orders)
	}
	if s.Neighbours(id(2)) != nil || s.DomainMembers("nowhere") != nil || !slices.Equal(s.DomainMembers(""), []ID{id(1)}) {
		t.Error("a stranger is in the rings")
	}
}

// TestSameEventsSameRings is what lets a simulation be run again.
func TestSameEventsSameRings(t *testing.T) {
	var rings [2][]Ring
	for i := range rings {
		s := New(self)
		for n := range 300 {
			s.Join(Member{ID: id(n), Domain: fmt.Sprint(n % 7), Zone: fmt.Sprint(n % 2), Risk: fmt.Sprint(n % 5)})
		}
		for n := range 100 {
			s.Leave(id(3 * n))
		}
		rings[i] = s.Rings()
	}
	if fmt.Sprint(rings[0]) != fmt.Sprint(rings[1]) {
		t.Error("the same events made different rings")
	}
}

// TestRepresentativeLeaves: whoever leaves, the switch and the zone are seen from
// outside by two again, which Audit checks.
func TestRepresentativeLeaves(t *testing.T) {
	s := New(self)
	for n := range 60 {
		s.Join(member(n, fmt.Sprint(n%2), fmt.Sprint(n%6)))
	}
	for s.Len() > 0 {
		s.Leave(s.Neighbours(self)[0].ID)
		audit(t, s)
	}
}
