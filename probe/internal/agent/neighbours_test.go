package agent_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/probe/internal/agent"
	"assimilation/wire"
)

const peerAddress = "10.0.0.20:1984"

var peerID = [wire.IDSize]byte{0xbb}

// ringOf names edge 1 with a peer at the address; empty: with the relay.
func ringOf(revision uint64, address string) *wire.Ring {
	e := wire.Edge{ID: 1, Peer: peerID[:], Send: make([]byte, 32), Receive: make([]byte, 32)}
	e.Send[0], e.Receive[0] = 1, 2
	if address != "" {
		e.Address = wire.AppendAddress(nil, netip.MustParseAddrPort(address))
	}
	return &wire.Ring{Revision: revision, Beat: 1000, Edges: []wire.Edge{e}}
}

// neighbour beats from the peer's end of edge 1 until stopped.
type neighbour struct {
	socket  *socket
	counter uint64
	heard   []wire.Heartbeat
}

func newNeighbour(n *network) *neighbour { return &neighbour{socket: n.open(peerAddress)} }

// beat sends one beat a second, and reads what came.
func (p *neighbour) beat(t *testing.T, seconds int, flags uint8) {
	t.Helper()
	send, receive := [32]byte{2}, [32]byte{1}
	for range seconds {
		p.counter++
		p.socket.Send(netip.MustParseAddrPort(probeAddress), wire.Heartbeat{Edge: 1, Counter: p.counter, Flags: flags}.Append(nil, &send))
		time.Sleep(time.Second)
		p.read(t, &receive)
	}
}

func (p *neighbour) read(t *testing.T, key *[32]byte) {
	t.Helper()
	for len(p.socket.inbox) > 0 {
		b, err := wire.OpenHeartbeat((<-p.socket.inbox).Data, key)
		if err != nil {
			t.Fatal(err)
		}
		p.heard = append(p.heard, b)
	}
}

func (s *testSite) states() (states []wire.EdgeState) {
	for _, r := range s.reports {
		for _, e := range r.Edges {
			states = append(states, e.State)
		}
	}
	return states
}

func TestNeighbourIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		site.ring = ringOf(1, peerAddress)
		defer site.start(t, n, relayAddress)()
		p := newNeighbour(n)
		h := boot(t, n, &site.token, nil)
		site.until(t, "ring taken", 5*time.Second, func() bool { return site.adopted == 1 })
		p.beat(t, 10, 0)
		if len(p.heard) < 9 || p.heard[len(p.heard)-1].Flags != wire.Hears {
			t.Fatalf("heard %+v", p.heard)
		}
		site.until(t, "report", time.Second, func() bool { return slices.Equal(site.states(), []wire.EdgeState{wire.EdgeHeard}) })
		silent := time.Now()
		site.until(t, "missed", 5*time.Second, func() bool { return slices.Contains(site.states(), wire.EdgeMissed) })
		if took := time.Since(silent); took > 1600*time.Millisecond { // its last beat was a second before
			t.Errorf("told after %v", took)
		}
		time.Sleep(time.Second)
		h.agent.Status(t.Context())
		s, err := h.agent.Status(t.Context())
		if err != nil || len(s.Neighbours) != 1 || s.Neighbours[0].State != "missed" || s.Neighbours[0].Address != peerAddress || s.Neighbours[0].Sent < 9 {
			t.Errorf("status %+v, %v", s.Neighbours, err)
		}
		p.beat(t, 2, 0)
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		p.read(t, &[32]byte{1})
		if last := p.heard[len(p.heard)-1]; last.Flags&wire.Leaving == 0 {
			t.Errorf("the last beat is %+v", last)
		}
		site.look(func() {
			if want := []wire.EdgeState{wire.EdgeHeard, wire.EdgeMissed, wire.EdgeHeard}; !slices.Equal(site.states(), want) {
				t.Errorf("reported %v, want %v", site.states(), want)
			}
			if site.goodbye.Cause != "signal" || site.hello.Listen != 1984 {
				t.Errorf("goodbye %+v, hello %+v", site.goodbye, site.hello)
			}
		})
	})
}

// The heart beats on while there is no relay, and the next session learns what
// happened meanwhile.
func TestBeatsWithoutARelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		site.ring = ringOf(1, peerAddress)
		stop := site.start(t, n, relayAddress)
		p := newNeighbour(n)
		names := make(chan struct{}) // a name server that does not answer
		h := boot(t, n, &site.token, func(c *agent.Config) {
			c.Relays = []string{relayAddress}
			resolve := c.Resolve
			c.Resolve = func(ctx context.Context, target string) ([]netip.AddrPort, error) {
				select {
				case <-names:
				case <-time.After(2 * time.Second):
				}
				return resolve(ctx, target)
			}
		})
		defer h.stop()
		site.until(t, "ring taken", 9*time.Second, func() bool { return site.adopted == 1 })
		stop()
		h.record(factOf(t, "", "one")) // notices that the relay is gone
		p.heard = nil
		p.beat(t, 100, 0)
		if len(p.heard) < 99 {
			t.Errorf("%d beats in 100 s without a relay", len(p.heard))
		}
		time.Sleep(3 * time.Second)
		site.look(func() { site.reports, site.ring = nil, nil })
		defer site.start(t, n, relayAddress)()
		close(names)
		site.until(t, "the newest report", time.Minute, func() bool { return len(site.reports) > 0 })
		site.look(func() {
			r := site.reports[0]
			if r.Revision != 0 || len(r.Edges) != 1 || r.Edges[0].State != wire.EdgeMissed || r.Edges[0].Age < 3000 {
				t.Errorf("the first report is %+v", r)
			}
		})
	})
}

// A probe whose relay's own beats stop asks at once, and is with another within
// 10 s though its echo is due every 30.
func TestRelayDies(t *testing.T) {
	for _, address := range []string{"", relayAddress} {
		synctest.Test(t, func(t *testing.T) {
			n, site := newNetwork(), newSite(t)
			site.ring = ringOf(1, "")
			stop := site.start(t, n, relayAddress)
			h := boot(t, n, &site.token, func(c *agent.Config) {
				if address != "" {
					c.Relays = []string{address, "10.0.0.2:1984"}
				}
			})
			defer h.stop()
			site.until(t, "ring taken", 5*time.Second, func() bool { return site.adopted == 1 })
			relay := n.open("10.0.0.1:99")
			send := [32]byte{2}
			for counter := range uint64(20) {
				relay.Send(netip.MustParseAddrPort(probeAddress), wire.Heartbeat{Edge: 1, Counter: counter + 1}.Append(nil, &send))
				time.Sleep(time.Second)
			}
			stop()
			died := time.Now()
			defer site.start(t, n, "10.0.0.2:1984")()
			site.until(t, "session with the other relay", 10*time.Second, func() bool { return site.count("hello") == 2 })
			t.Logf("served after %v", time.Since(died))
		})
	}
}

func TestRefusalIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		site.ring = ringOf(1, peerAddress)
		defer site.start(t, n, relayAddress)()
		p := newNeighbour(n)
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		site.until(t, "ring taken", 5*time.Second, func() bool { return site.adopted == 1 })
		p.beat(t, 5, 0)
		own := n.socketAt(probeAddress)
		own.refused <- netip.MustParseAddrPort("10.0.0.99:1984") // nobody that it knows
		own.refused <- netip.MustParseAddrPort(peerAddress)
		site.until(t, "refused", time.Second, func() bool { return slices.Contains(site.states(), wire.EdgeRefused) })
	})
}

// A report that the relay has no room for is made anew.
func TestReportIsRefusedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		site.ring = ringOf(1, peerAddress)
		busy := 3
		site.refuse = func(m wire.Message) wire.Reason {
			if _, ok := m.(*wire.Report); ok && busy > 0 {
				busy--
				return wire.Busy
			}
			return wire.Accepted
		}
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		site.until(t, "report", 15*time.Second, func() bool { return slices.Equal(site.states(), []wire.EdgeState{wire.EdgeMissed}) })
		site.look(func() {
			if busy != 0 {
				t.Errorf("not refused %d times", busy)
			}
		})
	})
}

// Beats that the peer's key has not made change nothing that is reported but counts.
func TestForgedBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		site.ring = ringOf(1, peerAddress)
		defer site.start(t, n, relayAddress)()
		p := newNeighbour(n)
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		site.until(t, "ring taken", 5*time.Second, func() bool { return site.adopted == 1 })
		p.beat(t, 5, 0)
		to := netip.MustParseAddrPort(probeAddress)
		key, own := [32]byte{2}, [32]byte{1}
		for range 50 {
			p.socket.Send(to, wire.Heartbeat{Edge: 1, Counter: 1 << 50, Flags: wire.Leaving}.Append(nil, &[32]byte{9}))
			p.socket.Send(to, wire.Heartbeat{Edge: 1, Counter: 2, Flags: wire.Leaving}.Append(nil, &key))
			p.socket.Send(to, wire.Heartbeat{Edge: 1, Counter: 1 << 50}.Append(nil, &own))
			p.socket.Send(to, wire.Heartbeat{Edge: 2, Counter: 1}.Append(nil, &key))
		}
		p.beat(t, 40, 0)
		s, err := h.agent.Status(t.Context())
		if err != nil || s.Neighbours[0].State != "heard" || s.Neighbours[0].Lost != 0 {
			t.Errorf("%+v, %v", s.Neighbours, err)
		}
		if s.Dropped["forged heartbeat"] != 100 || s.Dropped["replayed heartbeat"] != 50 || s.Dropped["heartbeat of no edge"] != 50 {
			t.Errorf("dropped %v", s.Dropped)
		}
		site.look(func() {
			last := site.reports[len(site.reports)-1]
			if last.Forged != 100 || last.Replayed != 50 || last.Stray != 50 || len(site.reports) > 3 {
				t.Errorf("%d reports, the last %+v", len(site.reports), last)
			}
			if slices.ContainsFunc(site.states(), func(s wire.EdgeState) bool { return s != wire.EdgeHeard }) {
				t.Errorf("reported %v", site.states())
			}
		})
	})
}
