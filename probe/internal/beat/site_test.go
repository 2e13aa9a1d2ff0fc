package beat

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"assimilation/wire"
)

const tick = 10 * time.Millisecond

var (
	testStart    = time.Unix(1_800_000_000, 0)
	relayAddress = netip.MustParseAddrPort("10.0.0.1:1984")
)

// testSite is hearts on a network in memory, and the time.
type testSite struct {
	t      *testing.T
	now    time.Time
	random *rand.Rand
	nodes  []*node
	loss   float64
	secret [32]byte
	// tap sees all that is sent.
	tap func(from, to *node, datagram []byte)
}

// node is a probe. A frozen one's kernel receives, but nobody reads; a dead one's
// does not.
type node struct {
	heart        *Heart
	id           [wire.IDSize]byte
	address      netip.AddrPort
	inbox        [][]byte
	frozen, dead bool
	wake         time.Time
	reports      []*wire.Report
	sent         int
}

func newSite(t *testing.T, seed uint64, count int) *testSite {
	s := &testSite{t: t, now: testStart, random: rand.New(rand.NewPCG(seed, 1)), secret: [32]byte{9}}
	for i := range count {
		n := &node{heart: New(s.random.Float64), address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i)}), wire.Port)}
		n.id[0] = byte(i + 1)
		s.nodes = append(s.nodes, n)
	}
	return s
}

// edge is what node a is told of its edge with node b.
func (s *testSite) edge(id uint32, a, b int) wire.Edge {
	from, to := s.nodes[a], s.nodes[b]
	send, receive := wire.EdgeKey(&s.secret, id, from.id, to.id), wire.EdgeKey(&s.secret, id, to.id, from.id)
	return wire.Edge{ID: id, Peer: to.id[:], Address: wire.AppendAddress(nil, to.address), Send: send[:], Receive: receive[:]}
}

// ring makes all nodes one ring. Edge i is between nodes i and i + 1.
func (s *testSite) ring(revision uint64, interval time.Duration) {
	for i := range s.nodes {
		s.adopt(i, revision, interval)
	}
}

func (s *testSite) adopt(i int, revision uint64, interval time.Duration) {
	n := len(s.nodes)
	edges := []wire.Edge{s.edge(uint32(100+i), i, (i+1)%n)}
	if before := (i + n - 1) % n; n > 2 {
		edges = append(edges, s.edge(uint32(100+before), i, before))
	} else {
		edges = []wire.Edge{s.edge(100, i, 1-i)}
	}
	s.order(i, &wire.Ring{Revision: revision, Beat: interval.Milliseconds(), Edges: edges})
}

func (s *testSite) order(i int, ring *wire.Ring) {
	s.t.Helper()
	if _, err := wire.Marshal(ring); err != nil {
		s.t.Fatal(err)
	}
	s.nodes[i].heart.Adopt(s.now, ring, relayAddress)
	s.nodes[i].wake = s.now
}

// run lets time pass.
func (s *testSite) run(d time.Duration) {
	for until := s.now.Add(d); s.now.Before(until); s.now = s.now.Add(tick) {
		for _, n := range s.nodes {
			s.step(n)
		}
	}
}

func (s *testSite) step(n *node) {
	if n.frozen || n.dead {
		return
	}
	if len(n.inbox) == 0 && (n.wake.IsZero() || s.now.Before(n.wake)) {
		return
	}
	inbox := n.inbox
	n.inbox = nil
	if s.random.IntN(2) == 0 { // timers and datagrams come in any order
		s.beat(n)
	}
	for _, d := range inbox {
		n.heart.Receive(s.now, d)
	}
	s.beat(n)
}

func (s *testSite) beat(n *node) {
	n.wake = n.heart.Step(s.now, func(to netip.AddrPort, datagram []byte) { s.send(n, to, datagram) })
	n.heart.News()
	if r := n.heart.Report(s.now); r != nil {
		if _, err := wire.Marshal(r); err != nil {
			s.t.Fatal(err)
		}
		n.heart.Told(r, true)
		n.reports = append(n.reports, r)
	}
}

func (s *testSite) send(from *node, to netip.AddrPort, datagram []byte) {
	from.sent++
	for _, n := range s.nodes {
		if n.address != to {
			continue
		}
		if s.tap != nil {
			s.tap(from, n, bytes.Clone(datagram))
		}
		if !n.dead && s.random.Float64() >= s.loss {
			n.inbox = append(n.inbox, bytes.Clone(datagram))
		}
	}
}

// state is how node i sees an edge.
func (s *testSite) state(i int, edge uint32) wire.EdgeState {
	s.t.Helper()
	for _, n := range s.nodes[i].heart.Neighbours(s.now) {
		if n.Edge == edge {
			return n.State
		}
	}
	s.t.Fatalf("node %d has no edge %d", i, edge)
	return 0
}

func (s *testSite) wantStates(i int, want ...wire.EdgeState) {
	s.t.Helper()
	var got []wire.EdgeState
	for _, n := range s.nodes[i].heart.Neighbours(s.now) {
		got = append(got, n.State)
	}
	if len(got) != len(want) {
		s.t.Fatalf("node %d sees %v, want %v", i, got, want)
	}
	for j := range got {
		if got[j] != want[j] {
			s.t.Fatalf("node %d sees %v, want %v", i, got, want)
		}
	}
}

func edgeOf(datagram []byte) uint32    { return binary.BigEndian.Uint32(datagram[2:]) }
func counterOf(datagram []byte) uint64 { return binary.BigEndian.Uint64(datagram[6:]) }
