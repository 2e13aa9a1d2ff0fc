package sessions_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

// kindsOf names events, without those of each datagram.
func kindsOf(events []sessions.Event) []string {
	var names []string
	for _, e := range events {
		names = append(names, fmt.Sprintf("%T", e)[len("sessions."):])
	}
	return names
}

// hostOf is the host that the probe of bubble is.
func hostOf(t *testing.T, s *site) tenancy.HostID {
	t.Helper()
	for _, e := range s.observed() {
		if g, ok := e.(sessions.Greeted); ok {
			return g.Host.ID
		}
	}
	t.Fatal("no greeting was observed")
	return tenancy.HostID{}
}

// again connects once more, in a new session under the same key.
func (p *probe) again(boot uint64) wire.Reason {
	p.site.t.Helper()
	p.connect()
	reason, _ := p.say(&wire.Hello{AgentVersion: "1", HostName: "db1", OS: "linux", Arch: "amd64", Boot: boot, Time: time.Now().UnixMilli()})
	return reason
}

func TestObservers(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		if got, want := kindsOf(s.observed()), []string{"Known", "Greeted"}; !reflect.DeepEqual(got, want) {
			t.Errorf("enrolling and greeting: %v, want %v", got, want)
		}
		p.say(put("os", "", `{"kernel":"6.1"}`))
		p.say(put("os", "", `{"kernel":"6.1"}`)) // the same: no news
		p.say(put("x-a", "1", `1`))
		p.say(&wire.Digests{Kinds: []string{"x-a"}})
		p.say(&wire.FactGone{Kind: "os", ObservedAt: time.Now().UnixMilli()})
		p.say(&wire.Report{Revision: 7, Time: time.Now().UnixMilli()})
		events := s.observed()
		if got, want := kindsOf(events), []string{"FactPut", "FactPut", "FactGone", "FactGone", "Reported"}; !reflect.DeepEqual(got, want) {
			t.Fatalf("what it says: %v, want %v", got, want)
		}
		if gone := events[2].(sessions.FactGone); gone.Kind != "x-a" || gone.Instance != "1" {
			t.Errorf("not listed any more: %+v", gone)
		}
		if r := events[4].(sessions.Reported).Report; r.Revision != 7 {
			t.Errorf("reported %+v", r)
		}
		s.mu.Lock()
		s.boxes[netip.MustParseAddrPort("10.0.0.77:1984")] = p.box
		s.mu.Unlock()
		p.address = netip.MustParseAddrPort("10.0.0.77:1984")
		p.link.Echo(time.Now())
		p.run(time.Second)
		if got, want := kindsOf(s.observed()), []string{"Moved"}; !reflect.DeepEqual(got, want) {
			t.Errorf("speaking from elsewhere: %v, want %v", got, want)
		}
		p.say(&wire.Goodbye{Cause: "signal", Time: time.Now().UnixMilli()})
		if got, want := kindsOf(s.observed()), []string{"Left"}; !reflect.DeepEqual(got, want) {
			t.Errorf("leaving: %v, want %v", got, want)
		}
		p.again(2)
		if got, want := kindsOf(s.observed()), []string{"Ended", "Greeted"}; !reflect.DeepEqual(got, want) {
			t.Errorf("coming again: %v, want %v", got, want)
		}
		time.Sleep(2 * time.Minute) // nobody answers there
		if got, want := kindsOf(s.observed()), []string{"Silent"}; !reflect.DeepEqual(got, want) {
			t.Errorf("saying nothing: %v, want %v", got, want)
		}
		s.mu.Lock()
		s.wanted = true
		s.mu.Unlock()
		p.link.Echo(time.Now())
		p.run(time.Second)
		if got := kindsOf(s.observed()); len(got) == 0 || got[0] != "Heard" {
			t.Errorf("a wanted sign of life: %v", got)
		}
	})
}

// What people are told of, and what neighbours are ordered anew for, a probe may
// not say as often as it can.
func TestALoudHostIsPutOff(t *testing.T) {
	for name, say := range map[string]func(n int) wire.Message{
		"clock steps": func(int) wire.Message { return &wire.Report{Stepped: 5000, Time: time.Now().UnixMilli()} },
		"restarts": func(n int) wire.Message {
			return &wire.Hello{AgentVersion: "1", HostName: "db1", Boot: uint64(n) + 100, Labels: map[string]string{"rack": fmt.Sprint(n)}, Time: time.Now().UnixMilli()}
		},
		"goodbyes": func(int) wire.Message { return &wire.Goodbye{Cause: "signal", Time: time.Now().UnixMilli()} },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(s *site, p *probe) {
				s.observed()
				start, busy := time.Now(), 0
				for n := range 200 {
					if _, err := p.link.Send(time.Now(), say(n)); err != nil {
						t.Fatal(err)
					}
					for _, event := range p.run(20 * time.Millisecond) {
						switch e := event.(type) {
						case link.Received:
							p.link.Done(e.ID)
						case link.Refused:
							if e.Reason == wire.Busy {
								busy++
							}
						}
					}
				}
				if most, told := 40+int(time.Since(start).Seconds()), len(s.observed()); told == 0 || told > most || busy == 0 {
					t.Errorf("within %v %d are passed on, %d put off", time.Since(start), told, busy)
				}
				time.Sleep(time.Minute)
				if reason, _ := p.hello(); reason != wire.Accepted {
					t.Errorf("a minute later it is told %v", reason)
				}
			})
		})
	}
}

func TestAStrangersReportIsRefused(t *testing.T) {
	bubble(t, func(s *site, _ *probe) {
		s.observed()
		stranger := s.probe(2)
		stranger.connect()
		if reason, _ := stranger.say(&wire.Report{Time: 1}); reason != wire.NotEnrolled {
			t.Errorf("it is told %v", reason)
		}
		if got := s.observed(); len(got) != 0 {
			t.Errorf("observed %v", got)
		}
	})
}

func TestTell(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		host := hostOf(t, s)
		result := make(chan error, 8)
		done := func(err error) { result <- err }
		ring := &wire.Ring{Revision: 1, Beat: 1000}
		s.table.Tell(host, ring, 3*time.Second, done)
		for _, e := range p.run(time.Second) {
			if r, ok := e.(link.Received); ok {
				p.link.Done(r.ID)
			}
		}
		p.run(time.Second)
		if err := <-result; err != nil {
			t.Errorf("adopted: %v", err)
		}
		s.table.Tell(host, ring, 3*time.Second, done)
		for _, e := range p.run(time.Second) {
			if r, ok := e.(link.Received); ok {
				p.link.Refuse(r.ID, wire.Unsupported)
			}
		}
		p.run(time.Second)
		if declined, ok := errors.AsType[*sessions.Declined](<-result); !ok || declined.Reason != wire.Unsupported {
			t.Errorf("refused: %v", declined)
		}
		begun := time.Now()
		s.table.Tell(host, ring, 3*time.Second, done)
		if err := <-result; !errors.Is(err, sessions.ErrUnheard) || time.Since(begun) != 3*time.Second {
			t.Errorf("unanswered: %v after %v", err, time.Since(begun))
		}
		s.table.Tell(tenancy.NewID[tenancy.HostID](), ring, time.Second, done)
		if err := <-result; !errors.Is(err, sessions.ErrNoSession) {
			t.Errorf("nobody: %v", err)
		}
		s.table.Tell(host, ring, time.Minute, done)
		s.table.Reset()
		if err := <-result; !errors.Is(err, sessions.ErrNoSession) {
			t.Errorf("the session ended: %v", err)
		}
	})
}

func TestEcho(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		host := hostOf(t, s)
		result := make(chan bool, 1)
		done := func(answered bool) { result <- answered }
		lost := 0
		s.mu.Lock()
		s.loss = func() bool { lost++; return lost <= 2 } // two echoes
		s.mu.Unlock()
		begun := time.Now()
		s.table.Echo(host, time.Second, done)
		p.run(time.Second)
		if !<-result || time.Since(begun) > 2*time.Second || lost < 3 {
			t.Errorf("a live probe that loses two datagrams did not answer (%d were sent)", lost)
		}
		begun = time.Now()
		s.table.Echo(host, time.Second, done)
		if <-result || time.Since(begun) != time.Second {
			t.Errorf("a dead probe: answered, or known after %v", time.Since(begun))
		}
		s.table.Echo(tenancy.NewID[tenancy.HostID](), time.Second, done)
		if <-result {
			t.Error("nobody answered")
		}
	})
}

func TestAHostIsBelievedUntilItSpeaks(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		host := hostOf(t, s)
		down := func() {
			v := uplink.VerdictBody{ID: make([]byte, 16), Kind: uplink.HostDown, Hosts: []tenancy.HostID{host}, At: time.Now().UnixMilli(), Confidence: 90}
			s.save(v)
			s.table.Believe(v.Hosts, uplink.Down, time.Now())
		}
		down()
		time.Sleep(time.Minute)
		if got := s.states(); got[len(got)-1] != uplink.Up {
			t.Errorf("states are %v: nothing was to be recorded", got)
		}
		before := len(s.states())
		p.link.Echo(time.Now())
		p.run(time.Second)
		if got := s.states(); len(got) != before+1 || got[before] != uplink.Up {
			t.Errorf("after it spoke the states are %v", got)
		}
	})
}

// A verdict of its goodbye may come after the host is back.
func TestALateWordOfAGoodbye(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		host := hostOf(t, s)
		p.say(&wire.Goodbye{Cause: "signal", Time: time.Now().UnixMilli()})
		p.again(2)
		v := uplink.VerdictBody{ID: make([]byte, 16), Kind: uplink.HostShutDown, Hosts: []tenancy.HostID{host}, At: time.Now().UnixMilli(), Confidence: 100}
		s.save(v)
		s.table.Believe(v.Hosts, uplink.ShutDown, time.Now())
		p.run(time.Second)
		if got := s.states(); got[len(got)-1] != uplink.Up {
			t.Errorf("in the end the states are %v", got)
		}
	})
}

func TestARestartIsNoClone(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		s.observed()
		for boot := range uint64(20) {
			if reason := p.again(boot + 1); reason != wire.Accepted {
				t.Errorf("restart %d: %v", boot, reason)
			}
			p.again(boot + 1) // a new session of the same process
		}
		for _, e := range s.observed() {
			if _, ok := e.(sessions.Cloned); ok {
				t.Error("a probe that restarts is taken for two")
			}
		}
	})
}

// clone is a second machine with the key of p.
func (s *site) clone(p *probe, n byte) *probe {
	c := s.probe(n)
	c.key = handshake.KeypairFrom(p.key.Private)
	return c
}

func TestTwoMachinesWithOneKey(t *testing.T) {
	bubble(t, func(s *site, first *probe) {
		if reason := first.again(1); reason != wire.Accepted {
			t.Fatal(reason)
		}
		second := s.clone(first, 2)
		if reason := second.again(2); reason != wire.Accepted {
			t.Fatalf("it may be a restart: %v", reason)
		}
		s.observed()
		// The first finds its session gone, and comes again.
		if reason := first.again(1); reason != wire.Accepted {
			t.Errorf("who was there first: %v", reason)
		}
		cloned := func() (all []sessions.Cloned) {
			for _, e := range s.observed() {
				if c, ok := e.(sessions.Cloned); ok {
					all = append(all, c)
				}
			}
			return all
		}
		if got := cloned(); len(got) != 1 || got[0].Settled {
			t.Errorf("observed %v", got)
		}
		for range 3 {
			first.link.Echo(time.Now())
			first.run(time.Second)
			if reason := second.again(2); reason != wire.Cloned {
				t.Errorf("who came second: %v", reason)
			}
			if reason, _ := second.say(put("os", "", `1`)); reason != wire.Cloned {
				t.Errorf("what it says: %v", reason)
			}
		}
		// The first's session was not disturbed.
		if reason, _ := first.say(put("os", "", `2`)); reason != wire.Accepted {
			t.Errorf("a fact of the first: %v", reason)
		}
		if got := cloned(); len(got) != 0 {
			t.Errorf("observed again: %v", got)
		}
		for range 11 {
			first.link.Echo(time.Now())
			first.run(time.Minute)
		}
		if got := cloned(); len(got) != 1 || !got[0].Settled {
			t.Errorf("after eleven minutes: %v", got)
		}
		if reason := first.again(3); reason != wire.Accepted {
			t.Errorf("a restart after that: %v", reason)
		}
	})
}

func TestAGoodbyeSettlesClones(t *testing.T) {
	bubble(t, func(s *site, first *probe) {
		second := s.clone(first, 2)
		first.again(1)
		second.again(2)
		first.again(1)
		if reason := second.again(2); reason != wire.Cloned {
			t.Fatalf("who came second: %v", reason)
		}
		first.say(&wire.Goodbye{Cause: "uninstall", Time: time.Now().UnixMilli()})
		if reason := second.again(2); reason != wire.Accepted {
			t.Errorf("after the first said goodbye: %v", reason)
		}
	})
}

func TestAKeyThatAlternatesIsCloned(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		s.observed()
		here, there := p.address, netip.MustParseAddrPort("10.0.0.9:1984")
		s.mu.Lock()
		s.boxes[there] = p.box
		s.mu.Unlock()
		for range 4 {
			for _, p.address = range []netip.AddrPort{there, here} {
				p.link.Echo(time.Now())
				p.run(2 * time.Second)
			}
		}
		cloned := 0
		for _, e := range s.observed() {
			if _, ok := e.(sessions.Cloned); ok {
				cloned++
			}
		}
		if cloned != 1 {
			t.Errorf("told %d times", cloned)
		}
	})
}
