package watch

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"assimilation/relay/internal/sessions"
	"assimilation/uplink"
	"assimilation/wire"
)

// limit is how long a verdict may take at a beat of a second.
const longest = 6 * time.Second

func TestWhatBecameOfAHost(t *testing.T) {
	for _, c := range []struct {
		kind   uplink.VerdictKind
		state  uplink.State
		happen func(*field, *probe)
		mend   func(*field, *probe)
	}{
		{uplink.HostDown, uplink.Down,
			func(f *field, p *probe) { f.set(p, func(p *probe) { p.off = true }) },
			func(f *field, p *probe) { f.set(p, func(p *probe) { p.off = false }); f.hear(p) }},
		{uplink.ProbeDown, uplink.AgentDown,
			func(f *field, p *probe) { f.set(p, func(p *probe) { p.killed = true }) },
			func(f *field, p *probe) {
				f.set(p, func(p *probe) { p.killed, p.boot, p.edges, p.revision = false, 2, nil, 0 })
				p.greet()
			}},
		{uplink.ProbeUnresponsive, uplink.Unresponsive,
			func(f *field, p *probe) { f.set(p, func(p *probe) { p.frozen = true }) },
			func(f *field, p *probe) { f.set(p, func(p *probe) { p.frozen = false }); f.hear(p) }},
		{uplink.HostShutDown, uplink.ShutDown,
			func(f *field, p *probe) {
				f.set(p, func(p *probe) { p.killed = true })
				f.watch.Observe(sessions.Left{Host: p.host.ID, Cause: "host shutdown"})
			},
			func(f *field, p *probe) {
				f.set(p, func(p *probe) { p.killed, p.boot, p.edges, p.revision = false, 2, nil, 0 })
				p.greet()
			}},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			inField(t, 2, 4, func(f *field, all []*probe) {
				victim := all[1]
				c.happen(f, victim)
				v := f.expect(c.kind, longest, victim)
				f.mu.Lock()
				if got := f.believed[victim.host.ID]; got != c.state {
					t.Errorf("the sessions believe the host to be %q", got)
				}
				f.mu.Unlock()
				if n := f.ringMembers(); n != len(all)-1 {
					t.Errorf("the rings have %d members", n)
				}
				c.mend(f, victim)
				f.over(v.ID, 10*time.Second)
				time.Sleep(10 * time.Second)
				if got := len(f.verdicts()); got != 1 {
					t.Errorf("there are %d verdicts in the end: %+v", got, f.verdicts())
				}
				if n := f.ringMembers(); n != len(all) {
					t.Errorf("in the end the rings have %d members", n)
				}
			})
		})
	}
}

func (f *field) ringMembers() (n int) {
	f.t.Helper()
	view, err := f.watch.View()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, r := range view.Rings {
		if r.Level == "switch" {
			n += len(r.Members)
		}
	}
	return n
}

func TestADeadSwitchIsOneVerdict(t *testing.T) {
	inField(t, 3, 4, func(f *field, all []*probe) {
		f.mu.Lock()
		for _, p := range all[4:8] {
			p.off = true
		}
		f.mu.Unlock()
		v := f.expect(uplink.SwitchDown, longest, all[4:8]...)
		f.mu.Lock()
		last := f.told[len(f.told)-1]
		for _, p := range all[4:8] {
			if got := f.believed[p.host.ID]; got != uplink.Unreachable {
				t.Errorf("%s is believed to be %q", p.host.Name, got)
			}
		}
		f.mu.Unlock()
		if last.Place != "switch2" || len(last.Hosts) != 4 {
			t.Errorf("people are told of %q and %v", last.Place, last.Hosts)
		}
		f.mu.Lock()
		for _, p := range all[4:8] {
			p.off = false
		}
		f.mu.Unlock()
		for _, p := range all[4:8] {
			f.hear(p)
		}
		f.over(v.ID, 10*time.Second)
		time.Sleep(10 * time.Second)
		if got := f.verdicts(); len(got) != 1 {
			t.Errorf("in the end there are %d verdicts: %+v", len(got), got)
		}
	})
}

func TestTheRelaysOwnCable(t *testing.T) {
	inField(t, 2, 3, func(f *field, all []*probe) {
		f.mu.Lock()
		f.linkDown = true
		f.mu.Unlock()
		v := f.expect(uplink.SiteCutOff, longest)
		time.Sleep(time.Minute)
		f.mu.Lock()
		f.linkDown = false
		f.mu.Unlock()
		for _, p := range all {
			f.hear(p)
		}
		f.over(v.ID, 10*time.Second)
		time.Sleep(10 * time.Second)
		if got := f.verdicts(); len(got) != 1 {
			t.Errorf("in the end there are %d verdicts: %+v", len(got), got)
		}
	})
}

// A neighbour of a switch of one host is the relay alone.
func TestALoneHost(t *testing.T) {
	inField(t, 1, 1, func(f *field, all []*probe) {
		f.set(all[0], func(p *probe) { p.off = true })
		f.expect(uplink.HostDown, longest, all[0])
	})
}

func TestWhatIsNoDeath(t *testing.T) {
	for name, happens := range map[string]func(*field, []*probe){
		"a restart": func(f *field, all []*probe) {
			f.set(all[0], func(p *probe) { p.killed = true })
			time.Sleep(time.Second)
			f.set(all[0], func(p *probe) { p.killed, p.boot, p.edges, p.revision = false, 2, nil, 0 })
			all[0].greet()
		},
		"another address": func(f *field, all []*probe) {
			f.set(all[0], func(p *probe) { p.address = netip.MustParseAddrPort("10.0.1.99:1984") })
			f.watch.Observe(sessions.Moved{Host: all[0].host.ID, Address: all[0].address})
		},
		"a new session": func(f *field, all []*probe) {
			f.watch.Observe(sessions.Ended{Host: all[0].host.ID})
			all[0].greet()
		},
		"a slower beat": func(f *field, all []*probe) {
			f.watch.SetPolicy(uplink.Policy{Beat: 2000}, f.watch.Secret)
		},
		"another switch": func(f *field, all []*probe) {
			place := all[0].place()
			place.Domain = "switch2"
			f.watch.Place(place)
		},
		"datagrams get lost": func(f *field, all []*probe) {
			random := rand.New(rand.NewPCG(1, 2))
			f.mu.Lock()
			f.lose = func() bool { return random.Float64() < 0.05 }
			f.mu.Unlock()
			time.Sleep(10 * time.Minute)
		},
		"a moment's freeze": func(f *field, all []*probe) {
			f.set(all[0], func(p *probe) { p.frozen = true })
			time.Sleep(2 * time.Second)
			f.set(all[0], func(p *probe) { p.frozen = false })
		},
		"the relay is restarted": func(f *field, all []*probe) {
			f.stop()
			f.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inField(t, 2, 4, func(f *field, all []*probe) {
				happens(f, all)
				time.Sleep(time.Minute)
				f.quiet("after " + name)
				if n := f.ringMembers(); n != len(all) {
					t.Errorf("the rings have %d members", n)
				}
			})
		})
	}
}

func TestAMovedHostWatchesOthers(t *testing.T) {
	inField(t, 2, 4, func(f *field, all []*probe) {
		place := all[0].place()
		place.Domain = "switch2"
		f.watch.Place(place)
		time.Sleep(10 * time.Second)
		f.set(all[0], func(p *probe) { p.off = true })
		f.expect(uplink.HostDown, longest, all[0])
	})
}

func TestAnOldProbeIsLeftOut(t *testing.T) {
	inField(t, 2, 4, func(f *field, all []*probe) {
		f.set(all[0], func(p *probe) { p.old, p.edges, p.boot = true, nil, 2 })
		all[0].greet()
		time.Sleep(time.Minute)
		f.quiet("with an old probe")
		if n := f.ringMembers(); n != len(all)-1 {
			t.Errorf("the rings have %d members", n)
		}
		f.set(all[0], func(p *probe) { p.old, p.boot, p.revision = false, 3, 0 })
		all[0].greet()
		time.Sleep(10 * time.Second)
		if n := f.ringMembers(); n != len(all) {
			t.Errorf("after it was renewed the rings have %d members", n)
		}
	})
}

// A verdict that stands outlives the relay's restart, and ends by itself.
func TestVerdictsOutliveTheRelay(t *testing.T) {
	inField(t, 2, 4, func(f *field, all []*probe) {
		f.set(all[0], func(p *probe) { p.off = true })
		v := f.expect(uplink.HostDown, longest, all[0])
		f.stop()
		f.start()
		time.Sleep(30 * time.Second)
		if got := f.verdicts(); len(got) != 1 || got[0].Over != 0 || string(got[0].ID) != string(v.ID) {
			t.Errorf("after the restart: %+v", got)
		}
		f.set(all[0], func(p *probe) { p.off, p.boot, p.edges, p.revision = false, 2, nil, 0 })
		all[0].greet()
		f.over(v.ID, 10*time.Second)
		time.Sleep(10 * time.Second)
		if n := f.ringMembers(); n != len(all) {
			t.Errorf("in the end the rings have %d members", n)
		}
	})
}

func (f *field) findings() (all []string) {
	f.t.Helper()
	synctest.Wait()
	batch, err := f.store.Records(context.Background(), 1<<16, 1<<30)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, record := range batch.Encoded {
		change, err := uplink.DecodeRecord(record)
		if err != nil {
			f.t.Fatal(err)
		}
		if change.Type == uplink.Refusal {
			text := change.Refusal.Subject + " of " + change.Refusal.From
			if change.Refusal.Cleared {
				text = "no " + text
			}
			all = append(all, text)
		}
	}
	return all
}

func TestALiarConvincesNobody(t *testing.T) {
	inField(t, 2, 4, func(f *field, all []*probe) {
		f.set(all[0], func(p *probe) { p.liar = true })
		time.Sleep(5 * time.Minute)
		for _, v := range f.verdicts() {
			if _, dead := v.Kind.HostState(); dead {
				t.Errorf("there is the verdict %q", v.Kind)
			}
		}
		if got := f.findings(); len(got) != 1 || got[0] != "neighbour-report of "+all[0].host.Name {
			t.Errorf("findings are %q", got)
		}
		if n := f.ringMembers(); n != len(all) {
			t.Errorf("the rings have %d members", n)
		}
	})
}

// What is said about edges of others is not listened to.
func TestAProbeSpeaksOfItsOwnEdgesOnly(t *testing.T) {
	inField(t, 2, 4, func(f *field, all []*probe) {
		report := &wire.Report{Time: 1}
		f.mu.Lock()
		for _, e := range all[6].edges {
			report.Edges = append(report.Edges, wire.EdgeReport{ID: e.ID, State: wire.EdgeMissed, Age: 60_000})
		}
		f.mu.Unlock()
		for range 20 {
			f.watch.Observe(sessions.Reported{Host: all[0].host.ID, Report: report})
			time.Sleep(time.Second)
		}
		f.quiet("after a stranger's reports")
		if got := f.findings(); len(got) != 0 {
			t.Errorf("findings are %q", got)
		}
	})
}

func TestForgedHeartbeats(t *testing.T) {
	inField(t, 1, 1, func(f *field, all []*probe) {
		f.mu.Lock()
		edge := *all[0].edges[0]
		f.mu.Unlock()
		heartbeat := func(counter uint64, key []byte) []byte {
			return wire.Heartbeat{Edge: edge.ID, Counter: counter}.Append(nil, (*[32]byte)(key))
		}
		// The host is dead: only what an attacker sends could keep it alive.
		f.set(all[0], func(p *probe) { p.off = true })
		stop := make(chan struct{})
		go func() {
			for n := uint64(0); ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Millisecond):
				}
				f.watch.Beat(heartbeat(1000+n, make([]byte, 32)), relayAddress) // forged
				f.watch.Beat(heartbeat(1, edge.Send), relayAddress)             // replayed
				f.watch.Beat(heartbeat(1000+n, edge.Receive), relayAddress)     // reflected
				f.watch.Beat(wire.Heartbeat{Edge: edge.ID + 1, Counter: 1}.Append(nil, (*[32]byte)(edge.Send)), relayAddress)
			}
		}()
		f.expect(uplink.HostDown, longest, all[0])
		close(stop)
		for _, reason := range []string{"forged", "replayed", "stray"} {
			var m dto.Metric
			if err := f.watch.Metrics.beats.WithLabelValues(reason).Write(&m); err != nil || m.Counter.GetValue() == 0 {
				t.Errorf("none were counted as %s", reason)
			}
		}
	})
}

func TestWhatProbesDropIsAFinding(t *testing.T) {
	inField(t, 2, 2, func(f *field, all []*probe) {
		for n := range uint64(5) {
			all[0].say(&wire.Report{Forged: n, Replayed: n})
		}
		time.Sleep(time.Second)
		one := "heartbeat of " + all[0].host.Name
		if got, want := f.findings(), []string{one, one}; !slices.Equal(got, want) {
			t.Errorf("findings are %q, want %q", got, want)
		}
		time.Sleep(30 * time.Minute)
		all[0].say(&wire.Report{Forged: 5, Replayed: 4})
		time.Sleep(45 * time.Minute)
		if got, want := f.findings(), []string{one, one, "no " + one}; !slices.Equal(got, want) {
			t.Errorf("after more than an hour they are %q, want %q", got, want)
		}
		f.stop()
		f.start()
		if got, want := f.findings(), []string{one, one, "no " + one, "no heartbeat of "}; !slices.Equal(got, want) {
			t.Errorf("after a restart they are %q, want %q", got, want)
		}
		f.quiet("after forged heartbeats")
	})
}
