package beat

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"assimilation/wire"
)

func TestNeighboursHearEachOther(t *testing.T) {
	for _, interval := range []time.Duration{wire.MinBeat, time.Second, wire.MaxBeat} {
		for count := 2; count <= 3; count++ {
			s := newSite(t, 1, count)
			s.ring(1, interval)
			s.run(100*interval + tick)
			for i, n := range s.nodes {
				for _, e := range n.heart.Neighbours(s.now) {
					if e.State != wire.EdgeHeard || e.Lost != 0 || e.Sent < 100 || e.Sent > 101 {
						t.Errorf("%v: node %d: %+v", interval, i, e)
					}
				}
				if edges := len(n.heart.edges); len(n.reports) > edges || n.heart.Late() != 0 {
					t.Errorf("%v: node %d with %d neighbours has reported %d times, %d beats late", interval, i, edges, len(n.reports), n.heart.Late())
				}
			}
		}
	}
}

// The flag says whether the other's beats come.
func TestHears(t *testing.T) {
	s := newSite(t, 1, 2)
	var last [2]wire.Heartbeat
	s.tap = func(from, to *node, d []byte) {
		key := wire.EdgeKey(&s.secret, 100, from.id, to.id)
		b, err := wire.OpenHeartbeat(d, &key)
		if err != nil {
			t.Fatal(err)
		}
		last[from.id[0]-1] = b
	}
	s.ring(1, time.Second)
	s.run(5 * time.Second)
	if last[0].Flags != wire.Hears || last[1].Flags != wire.Hears {
		t.Errorf("at rest: %+v", last)
	}
	s.nodes[1].dead = true
	s.run(5 * time.Second)
	if last[0].Flags != 0 {
		t.Errorf("after the other's death: %+v", last[0])
	}
}

func TestSilence(t *testing.T) {
	for seed := range uint64(50) {
		s := newSite(t, seed, 3)
		s.ring(1, time.Second)
		s.run(10*time.Second + time.Duration(seed)*137*time.Millisecond)
		s.nodes[1].dead = true
		reports := len(s.nodes[0].reports)
		died := s.now
		for s.state(0, 100) == wire.EdgeHeard {
			s.run(tick)
		}
		if took := s.now.Sub(died); took < 1400*time.Millisecond || took > 2600*time.Millisecond {
			t.Errorf("seed %d: missed after %v", seed, took)
		}
		s.run(time.Minute)
		s.wantStates(0, wire.EdgeMissed, wire.EdgeHeard)
		s.wantStates(2, wire.EdgeHeard, wire.EdgeMissed)
		if told := s.nodes[0].reports[reports:]; len(told) != 1 || told[0].Edges[0].State != wire.EdgeMissed || told[0].Edges[0].Age < 2500 {
			t.Errorf("seed %d: reports %+v", seed, told)
		}
		s.nodes[1].dead = false
		s.run(2 * time.Second)
		s.wantStates(0, wire.EdgeHeard, wire.EdgeHeard)
	}
}

func TestNeighbourThatNeverBeats(t *testing.T) {
	for interval, within := range map[time.Duration]time.Duration{500 * time.Millisecond: 5 * time.Second, 2 * time.Second: 10 * time.Second} {
		s := newSite(t, 1, 2)
		s.adopt(0, 1, interval)
		s.run(within - tick)
		s.wantStates(0, wire.EdgeNew)
		s.run(2 * tick)
		s.wantStates(0, wire.EdgeMissed)
	}
}

func TestLoss(t *testing.T) {
	s := newSite(t, 7, 3)
	s.loss = 0.05
	s.ring(1, time.Second)
	s.run(30 * time.Minute)
	s.loss = 0
	s.run(3 * time.Second)
	for i, n := range s.nodes {
		s.wantStates(i, wire.EdgeHeard, wire.EdgeHeard)
		for _, e := range n.heart.Neighbours(s.now) {
			if e.Lost < 50 || e.Lost > 140 { // 90 expected
				t.Errorf("node %d: lost %d of 1800", i, e.Lost)
			}
		}
		// Two losses in a row: 1800 * 0.95 * 0.05² = 4.3 per edge, each missed and heard.
		if len(n.reports) > 40 {
			t.Errorf("node %d reported %d times", i, len(n.reports))
		}
	}
}

// Who was frozen blames nobody, and says how late it was.
func TestFrozen(t *testing.T) {
	for _, freeze := range []time.Duration{700 * time.Millisecond, 1600 * time.Millisecond, 3 * time.Second, 6 * time.Second, 12 * time.Second, 5 * time.Minute} {
		for seed := range uint64(50) {
			s := newSite(t, seed, 3)
			s.ring(1, time.Second)
			s.run(20*time.Second + time.Duration(seed)*73*time.Millisecond)
			reports := len(s.nodes[1].reports)
			s.nodes[1].frozen = true
			s.run(freeze)
			s.nodes[1].frozen = false
			if freeze >= 3*time.Second {
				s.wantStates(0, wire.EdgeMissed, wire.EdgeHeard)
			}
			s.run(4 * time.Second)
			if told := s.nodes[1].reports[reports:]; len(told) > 0 {
				t.Fatalf("seed %d: frozen for %v, node reported %+v", seed, freeze, told[0])
			}
			for i := range s.nodes {
				s.wantStates(i, wire.EdgeHeard, wire.EdgeHeard)
			}
			late, want := s.nodes[1].heart.Late(), min(int(freeze/time.Second), 12)
			if freeze >= 3*time.Second && (late < want || late > 16) {
				t.Fatalf("seed %d: frozen for %v, and %d beats late", seed, freeze, late)
			}
			if freeze >= 3*time.Second && s.nodes[0].heart.edges[0].health != uint8(late) {
				t.Fatalf("seed %d: the neighbour thinks %d beats late, not %d", seed, s.nodes[0].heart.edges[0].health, late)
			}
		}
	}
}

// A neighbour that dies while the probe is frozen is missed after it has thawed,
// later but not never.
func TestDeathDuringAFreeze(t *testing.T) {
	s := newSite(t, 3, 3)
	s.ring(1, time.Second)
	s.run(20 * time.Second)
	s.nodes[0].frozen, s.nodes[1].dead = true, true
	s.run(6 * time.Second)
	s.nodes[0].frozen = false
	s.run(3 * time.Second)
	s.wantStates(0, wire.EdgeMissed, wire.EdgeHeard)
}

func TestLeaving(t *testing.T) {
	s := newSite(t, 3, 3)
	s.ring(1, time.Second)
	s.run(20 * time.Second)
	leaver := s.nodes[1]
	leaver.heart.Leave(s.now, func(to netip.AddrPort, d []byte) { s.send(leaver, to, d) })
	sent := leaver.sent
	s.run(time.Minute)
	s.wantStates(0, wire.EdgeLeft, wire.EdgeHeard)
	s.wantStates(2, wire.EdgeHeard, wire.EdgeLeft)
	if leaver.sent != sent {
		t.Errorf("%d beats after the last", leaver.sent-sent)
	}
}

func TestRefused(t *testing.T) {
	s := newSite(t, 3, 3)
	s.ring(1, time.Second)
	s.run(20 * time.Second)
	refuse := func(d time.Duration, from netip.AddrPort) {
		for range d / (500 * time.Millisecond) {
			s.run(500 * time.Millisecond)
			s.nodes[0].heart.Refused(s.now, from)
			s.nodes[0].wake = s.now
		}
	}
	// Anybody can forge an ICMP message: a neighbour that beats is not refused.
	reports := len(s.nodes[0].reports)
	refuse(time.Minute, s.nodes[1].address)
	refuse(10*time.Second, netip.MustParseAddrPort("10.0.0.77:1984"))
	s.wantStates(0, wire.EdgeHeard, wire.EdgeHeard)
	if n := len(s.nodes[0].reports); n != reports {
		t.Fatalf("%d reports for forged refusals", n-reports)
	}
	s.nodes[1].dead = true
	refuse(2*time.Second, s.nodes[1].address)
	s.wantStates(0, wire.EdgeRefused, wire.EdgeHeard)
	refuse(time.Minute, s.nodes[1].address)
	s.wantStates(0, wire.EdgeRefused, wire.EdgeHeard)
	s.run(6 * time.Second) // now the host is gone too
	s.wantStates(0, wire.EdgeMissed, wire.EdgeHeard)
	refuse(time.Second, s.nodes[1].address) // and back, without its probe
	s.wantStates(0, wire.EdgeRefused, wire.EdgeHeard)
	s.nodes[1].dead = false
	s.run(2 * time.Second)
	s.wantStates(0, wire.EdgeHeard, wire.EdgeHeard)
}

// Rings come late, twice and changed; counters of an edge that stays go on.
func TestAdopt(t *testing.T) {
	s := newSite(t, 3, 3)
	s.ring(2, time.Second)
	s.run(20 * time.Second)
	s.order(0, &wire.Ring{Revision: 1, Beat: 1000})
	s.order(0, &wire.Ring{Revision: 2, Beat: 1000})
	s.wantStates(0, wire.EdgeHeard, wire.EdgeHeard)
	before := s.nodes[0].heart.Neighbours(s.now)
	s.order(0, &wire.Ring{Revision: 3, Beat: 1000, Edges: []wire.Edge{s.edge(102, 0, 2), s.edge(7, 0, 1)}})
	s.wantStates(0, wire.EdgeHeard, wire.EdgeNew)
	if now := s.nodes[0].heart.Neighbours(s.now); now[0].Sent != before[1].Sent || now[1].Sent != 0 {
		t.Errorf("counters %+v, before %+v", now, before)
	}
	s.run(3 * time.Second)
	s.wantStates(1, wire.EdgeHeard, wire.EdgeMissed) // node 0 beats on edge 100 no more
	if h := s.nodes[0].heart; h.drops.stray == 0 || len(h.farewells) != 0 {
		t.Errorf("dropped %+v, %d edges left", h.drops, len(h.farewells))
	}
}

// Whoever changes its relay is not missed by the neighbours that have not yet.
func TestAnotherRelay(t *testing.T) {
	s := newSite(t, 3, 3)
	s.ring(5, time.Second)
	s.run(20 * time.Second)
	for i, n := range s.nodes { // one after the other
		n.heart.Session()
		if r := n.heart.Report(s.now); r == nil || r.Revision != 0 || len(r.Edges) != 2 {
			t.Fatalf("node %d tells the next relay %+v", i, r)
		}
		reports := len(n.reports)
		s.order(i, &wire.Ring{Revision: 1, Beat: 1000, Edges: []wire.Edge{s.edge(uint32(200+i), i, (i+1)%3), s.edge(uint32(200+(i+2)%3), i, (i+2)%3)}})
		s.run(2 * time.Second)
		for _, r := range n.reports[reports:] {
			for _, e := range r.Edges {
				if e.State == wire.EdgeMissed || e.ID < 200 {
					t.Errorf("node %d reported %+v", i, r)
				}
			}
		}
	}
	s.run(10 * time.Second)
	for i, n := range s.nodes {
		s.wantStates(i, wire.EdgeHeard, wire.EdgeHeard)
		if len(n.heart.farewells) != 0 {
			t.Errorf("node %d still beats on %d edges of the other relay", i, len(n.heart.farewells))
		}
	}
}

// A new interval reaches the neighbours at different times, and nobody is missed.
func TestIntervalChanges(t *testing.T) {
	s := newSite(t, 3, 3)
	s.ring(1, time.Second)
	s.run(20 * time.Second)
	for revision, interval := range []time.Duration{10 * time.Second, 500 * time.Millisecond, time.Second} {
		for i := range s.nodes {
			s.adopt(i, uint64(revision+2), interval)
			s.run(9 * time.Second)
		}
		s.run(2 * time.Minute)
		for i, n := range s.nodes {
			s.wantStates(i, wire.EdgeHeard, wire.EdgeHeard)
			if len(n.reports) > 2 || n.heart.interval != interval || n.heart.patience != interval {
				t.Fatalf("%v: node %d reported %d times, beats every %v", interval, i, len(n.reports), n.heart.interval)
			}
		}
	}
}

func TestRelayInDoubt(t *testing.T) {
	s := newSite(t, 3, 1)
	e := s.edge(4, 0, 0)
	e.Address = nil
	s.order(0, &wire.Ring{Revision: 1, Beat: 1000, Edges: []wire.Edge{e}})
	if n := s.nodes[0].heart.Neighbours(s.now); !n[0].Relay || n[0].Address != relayAddress {
		t.Fatalf("%+v", n)
	}
	h := s.nodes[0].heart
	for counter := range uint64(10) {
		s.run(time.Second)
		h.Receive(s.now, wire.Heartbeat{Edge: 4, Counter: counter + 1}.Append(nil, (*[32]byte)(e.Receive)))
	}
	if h.RelayInDoubt() {
		t.Error("in doubt while it beats")
	}
	s.run(4 * time.Second)
	if !h.RelayInDoubt() || h.RelayInDoubt() {
		t.Error("not in doubt once")
	}
}

func TestClockStep(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -3 * time.Second, 1900 * time.Millisecond} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			s := newSite(t, 3, 2)
			var offset time.Duration
			h := s.nodes[0].heart
			h.clock.wall = func(now time.Time) time.Time { return now.Add(offset) }
			s.ring(1, time.Second)
			s.run(20 * time.Second)
			reports := len(s.nodes[0].reports)
			offset = step
			s.run(20 * time.Second)
			told := s.nodes[0].reports[reports:]
			if step.Abs() < stepFrom {
				if len(told) != 0 {
					t.Fatalf("reports %+v", told)
				}
				return
			}
			if len(told) != 1 || told[0].Stepped != step.Milliseconds() || h.clock.stepped != 0 {
				t.Fatalf("reports %+v, %v left", told, h.clock.stepped)
			}
			s.wantStates(0, wire.EdgeHeard)
		})
	}
}

// A jump that a relay has not confirmed is told to the next.
func TestStepOutlivesASession(t *testing.T) {
	s := newSite(t, 3, 2)
	h := s.nodes[0].heart
	s.ring(1, time.Second)
	s.run(5 * time.Second)
	h.clock.stepped, h.due = 5*time.Second, true
	if r := h.Report(s.now); r == nil || r.Stepped != 5000 {
		t.Fatalf("%+v", r)
	}
	h.Session()
	r := h.Report(s.now)
	if r == nil || r.Stepped != 5000 {
		t.Fatalf("%+v", r)
	}
	h.Told(r, true)
	h.Session()
	if r := h.Report(s.now); r == nil || r.Stepped != 0 {
		t.Fatalf("%+v", r)
	}
}

func TestABeatAllocatesNothing(t *testing.T) {
	s := newSite(t, 3, 2)
	s.ring(1, time.Second)
	s.run(5 * time.Second)
	h, e := s.nodes[0].heart, s.edge(100, 1, 0)
	key := wire.NewHeartbeatKey((*[32]byte)(e.Send))
	counter, buffer := uint64(1000), make([]byte, 0, wire.HeartbeatSize)
	send := func(netip.AddrPort, []byte) {}
	if n := testing.AllocsPerRun(100, func() {
		s.now = s.now.Add(time.Second)
		counter++
		if err := h.Receive(s.now, key.Append(buffer, wire.Heartbeat{Edge: 100, Counter: counter})); err != nil {
			t.Fatal(err)
		}
		h.Step(s.now, send)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// However often and long a probe is frozen, it misses no neighbour that lives.
func TestFrozenAtRandom(t *testing.T) {
	for seed := range uint64(100) {
		s := newSite(t, seed, 3)
		s.ring(1, time.Second)
		s.run(10 * time.Second)
		victim := s.nodes[0]
		reports := len(victim.reports)
		for range 40 {
			victim.frozen = true
			s.run(time.Duration(s.random.IntN(5000)) * time.Millisecond)
			victim.frozen = false
			s.run(time.Duration(s.random.IntN(3000)) * time.Millisecond)
		}
		s.run(time.Second)
		if told := victim.reports[reports:]; len(told) > 0 {
			t.Fatalf("seed %d: reported %+v", seed, told[0])
		}
		s.wantStates(1, wire.EdgeHeard, wire.EdgeHeard)
	}
}
