package sessions_test

import (
	"context"
	"crypto/rand"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

// caller does what the gate does with a call, and what the probe does with it.
type caller struct {
	*site
	probes map[[32]byte]*probe
	calls  map[[32]byte]int
	called chan struct{} // closed when a probe has its session
}

func (c *caller) Call(key [32]byte, to netip.AddrPort, _ bool) {
	c.calls[key]++
	p := c.probes[key]
	if p == nil || p.address != to {
		return // nobody is there
	}
	i, first, err := handshake.Initiate(c.key, key, 4711, nil, rand.Reader)
	if err != nil {
		c.t.Error(err)
		return
	}
	theirs, reply, _, _, err := handshake.Respond(p.key, 99, first, nil, rand.Reader)
	if err != nil {
		c.t.Error(err)
		return
	}
	ours, _, err := i.Finish(reply)
	if err != nil {
		c.t.Error(err)
		return
	}
	p.link = link.New(theirs, time.Now(), func() float64 { return 0.5 })
	close(c.called)
	c.table.Arrive(sessions.Arrival{Session: ours, Key: key, Called: true, From: to})
}

func TestARestartedRelayCallsItsProbes(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		gone := s.probe(2) // enrolled, and not there any more
		gone.connect()
		gone.enrol()
		s.stopTable()
		s.startTable()
		c := &caller{s, map[[32]byte]*probe{p.key.Public: p}, map[[32]byte]int{}, make(chan struct{})}
		before := time.Now()
		recalled := make(chan error)
		go func() { recalled <- s.table.Recall(context.Background(), c) }()
		<-c.called
		if took := time.Since(before); took > 2*time.Second {
			t.Errorf("called after %v", took)
		}
		if events := p.run(time.Second); len(events) != 0 || p.link.Stats().Received == 0 {
			t.Errorf("the relay's first packet did not come: %v, %+v", events, p.link.Stats())
		}
		if reason, _ := p.hello(); reason != wire.Accepted {
			t.Errorf("hello in the relay's session: %v", reason)
		}
		if err := <-recalled; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if c.calls[p.key.Public] != 1 || c.calls[gone.key.Public] != 3 {
			t.Errorf("called %d and %d times, want 1 and 3", c.calls[p.key.Public], c.calls[gone.key.Public])
		}
	})
}

func TestASessionRoamsWithItsNewestPacket(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		seal := func() []byte {
			p.link.Echo(time.Now())
			datagrams, _ := p.link.Poll(time.Now())
			return datagrams[0]
		}
		answered := func(at netip.AddrPort) bool {
			s.mu.Lock()
			box := s.boxes[at]
			s.mu.Unlock()
			synctest.Wait()
			got := len(box) > 0
			for len(box) > 0 {
				<-box
			}
			return got
		}
		home, away := p.address, netip.MustParseAddrPort("10.0.9.9:5000")
		s.boxes[away] = make(chan []byte, 16)
		forged := seal()
		kept, moved := seal(), seal() // in this order; the first is held back
		forged[len(forged)-1] ^= 1
		s.toRelay(forged, away)
		if answered(away) || answered(home) {
			t.Error("a forged packet was answered")
		}
		s.toRelay(moved, away)
		if !answered(away) || answered(home) {
			t.Error("the session did not follow its newest packet")
		}
		s.toRelay(kept, home)
		if !answered(away) || answered(home) {
			t.Error("the session followed an old packet")
		}
		s.toRelay(moved, netip.MustParseAddrPort("10.0.6.6:6")) // a replay
		s.toRelay(seal(), home)
		if answered(away) || !answered(home) {
			t.Error("the session did not come back")
		}
	})
}

// Both ends give a session up in time; a new one loses nothing.
func TestRekey(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		old := p.link
		for range 119 { // not idle, not yet old
			old.Echo(time.Now())
			p.run(time.Minute)
		}
		if old.Expired(time.Now()) {
			t.Fatal("expired early")
		}
		p.run(time.Minute)
		if !old.Expired(time.Now()) {
			t.Fatal("not expired after two hours")
		}
		p.connect()
		if reason, _ := p.say(put("os", "", `{"kernel":"6.1"}`)); reason != wire.Accepted {
			t.Errorf("in the new session: %v", reason)
		}
		if n := s.table.Sessions(); n != 1 {
			t.Errorf("%d sessions", n)
		}
		for range 131 { // a probe that does not renew its session
			p.link.Echo(time.Now())
			p.run(time.Minute)
		}
		if n := s.table.Sessions(); n != 0 {
			t.Errorf("%d sessions of 2 h 11 min", n)
		}
	})
}
