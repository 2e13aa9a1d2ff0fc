package sessions_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// learn has the store and the table hear that a relay has the site's only host.
func (s *site) learn(by tenancy.RelayID) store.Host {
	s.t.Helper()
	hosts, err := s.store.Hosts(context.Background())
	if err != nil || len(hosts) != 1 {
		s.t.Fatalf("%d hosts, %v", len(hosts), err)
	}
	h := hosts[0]
	h.ServedBy, h.Term = by, h.Term+1
	err = s.store.Do(context.Background(), func(tx *store.Tx) error {
		if news, err := tx.LearnHost(h); err != nil || !news {
			s.t.Errorf("learnt: %v, %v", news, err)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.table.Elsewhere([]store.Host{h})
	synctest.Wait()
	return h
}

func count[E sessions.Event](events []sessions.Event) (n int) {
	for _, e := range events {
		if _, ok := e.(E); ok {
			n++
		}
	}
	return n
}

func TestAHostThatIsElsewhereIsNotMissed(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		p.enrol()
		p.hello()
		s.observed()
		other := tenancy.NewID[tenancy.RelayID]()
		s.learn(other)
		if events := s.observed(); count[sessions.Elsewhere](events) != 1 || count[sessions.Ended](events) != 1 {
			t.Errorf("observed %+v", events)
		}
		time.Sleep(time.Hour) // of the bubble
		synctest.Wait()
		if states := s.states(); slices.Contains(states, uplink.Silent) {
			t.Errorf("states %v", states)
		}
		c := &caller{s, map[[32]byte]*probe{p.key.Public: p}, map[[32]byte]int{}, make(chan struct{})}
		if err := s.table.Recall(context.Background(), c); err != nil || c.calls[p.key.Public] != 0 {
			t.Errorf("another relay's probe was called: %v, %v", c.calls, err)
		}
		// A start later it is as it was.
		s.stopTable()
		s.observed()
		s.startTable()
		if events := s.observed(); count[sessions.Known](events) != 0 {
			t.Errorf("observed %+v", events)
		}
		// It comes back, and brings its key: no token is needed.
		p.connect()
		if reason, _ := p.hello(); reason != wire.Accepted {
			t.Fatalf("hello: %v", reason)
		}
		events := s.observed()
		if count[sessions.Known](events) != 1 || count[sessions.Greeted](events) != 1 {
			t.Errorf("observed %+v", events)
		}
	})
}

func TestAHostIsTakenOver(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		p.enrol()
		p.hello()
		dead := tenancy.NewID[tenancy.RelayID]()
		h := s.learn(dead)
		s.observed()
		var taken store.Host
		err := s.store.Do(context.Background(), func(tx *store.Tx) (err error) {
			taken, _, err = tx.TakeHost(h.ID, dead, time.Now().UnixMilli())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		c := &caller{s, map[[32]byte]*probe{p.key.Public: p}, map[[32]byte]int{}, make(chan struct{})}
		before := time.Now()
		done := make(chan struct{})
		go func() { s.table.TakeOver(context.Background(), []store.Host{taken}, c); close(done) }()
		<-c.called
		if took := time.Since(before); took > time.Second {
			t.Errorf("called after %v", took)
		}
		p.run(100 * time.Millisecond)
		if reason, _ := p.hello(); reason != wire.Accepted {
			t.Fatalf("hello: %v", reason)
		}
		<-done
		if events := s.observed(); count[sessions.Known](events) != 1 || count[sessions.Greeted](events) != 1 {
			t.Errorf("observed %+v", events)
		}
		if c.calls[p.key.Public] != 1 {
			t.Errorf("called %d times", c.calls[p.key.Public])
		}
	})
}

// Nobody else would notice that it died together with its relay.
func TestATakenHostThatDoesNotComeIsMissed(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		p.enrol()
		p.hello()
		dead := tenancy.NewID[tenancy.RelayID]()
		h := s.learn(dead)
		var taken store.Host
		err := s.store.Do(context.Background(), func(tx *store.Tx) (err error) {
			taken, _, err = tx.TakeHost(h.ID, dead, time.Now().UnixMilli())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		c := &caller{s, nil, map[[32]byte]int{}, make(chan struct{})}
		s.table.TakeOver(context.Background(), []store.Host{taken}, c)
		synctest.Wait()
		if c.calls[p.key.Public] != 4 {
			t.Errorf("called %d times", c.calls[p.key.Public])
		}
		time.Sleep(time.Minute) // of the bubble
		synctest.Wait()
		if states := s.states(); !slices.Contains(states, uplink.Silent) {
			t.Errorf("states %v", states)
		}
	})
}
