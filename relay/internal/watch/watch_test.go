package watch

import (
	"testing"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/uplink"
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
