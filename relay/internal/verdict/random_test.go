package verdict

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/uplink"
)

var seed = flag.Uint64("seed", 0, "of the random sites; 0: those of every day")

// TestRandomSites lets everything happen to small sites that lose packets, and
// holds what is told against what is true.
func TestRandomSites(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	if *seed != 0 {
		seeds = []uint64{*seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			s := newSite(t, seed)
			s.loss = []float64{0, 0.01, 0.05}[seed%3]
			for i := range 6 {
				s.add(string(rune('a'+i)), []string{"one", "two"}[i/3], 4+int(seed)%5)
			}
			s.settled()
			f := &fate{site: s, was: map[*machine]time.Time{}, agentless: map[*machine]time.Time{}, busy: map[*machine]bool{}, named: map[*machine]time.Time{}, open: map[string]uplink.VerdictBody{}}
			s.watcher = f.hold
			for range 300 {
				f.act()
				s.run(time.Duration(5+s.random.IntN(40)) * time.Second)
			}
			s.run(5 * time.Minute)
			f.finish()
			t.Logf("loss %.0f %%: %v, %v verdicts, a death is told after p50 %v, max %v", 100*s.loss, f.done, f.verdicts, f.quantile(0.5), f.quantile(1))
			if t.Failed() {
				t.Logf("again: go test -run TestRandomSites -seed %d", seed)
			}
		})
	}
}

// fate does things to a site, and knows what is true.
type fate struct {
	*site
	busy      map[*machine]bool
	was       map[*machine]time.Time // when it was last beyond reach
	agentless map[*machine]time.Time // when its agent last did not run
	open      map[string]uplink.VerdictBody
	named     map[*machine]time.Time // by the first verdict since it died
	verdicts  int
	cutOffs   int
	took      []time.Duration
	done      deeds
}

type deeds struct{ deaths, kills, freezes, goodbyes, switches, zones, cuts int }

func (d deeds) String() string {
	return fmt.Sprintf("%d deaths, %d kills, %d freezes, %d goodbyes, %d switches, %d zones, %d cuts of the relay", d.deaths, d.kills, d.freezes, d.goodbyes, d.switches, d.zones, d.cuts)
}

// act does one thing, which is undone some time later.
func (f *fate) act() {
	m := f.hosts[f.random.IntN(len(f.hosts))]
	if f.busy[m] || m.wiring.down || f.relay.cut {
		return
	}
	later := func(least, most int, do func()) {
		f.in(time.Duration(least+f.random.IntN(most-least))*time.Second, do)
	}
	alter := func(least, most int, do, undo func()) {
		f.busy[m] = true
		do()
		f.changed(m)
		later(least, most, func() {
			f.busy[m] = false
			f.note(m)
			undo()
			f.changed(m)
		})
	}
	again := func() { f.restart(m) }
	switch dice := f.random.IntN(100); {
	case dice < 35:
		f.done.deaths++
		alter(45, 200, func() { m.off = true }, again)
		f.mustTell(m)
	case dice < 45:
		f.done.kills++
		alter(30, 100, func() { m.agent = killed }, again)
	case dice < 80:
		f.done.freezes++
		alter(1, 30, func() { m.agent = frozen }, func() { m.agent = running; f.speak(m) })
	case dice < 85:
		f.done.goodbyes++
		alter(30, 100, func() { m.agent = stopped; f.step(Left{m.id}) }, again)
	case dice < 93:
		f.done.switches++
		f.fellFor(later, m.wiring)
	case dice < 95:
		f.done.zones++
		var all []*wiring
		for _, h := range f.hosts {
			if w := h.wiring; w.zone == m.wiring.zone && !w.down && !slices.Contains(all, w) {
				all = append(all, w)
			}
		}
		f.fellFor(later, all...)
	default:
		f.done.cuts++
		f.relay.cut = true
		f.changed(f.relay)
		later(5, 60, func() {
			f.note(f.hosts...)
			f.relay.cut = false
			f.changed(f.relay)
			f.speak(f.hosts...)
		})
	}
}

// fellFor takes switches down for a while.
func (f *fate) fellFor(later func(least, most int, do func()), switches ...*wiring) {
	var hosts []*machine
	for _, w := range switches {
		w.down = true
		hosts = append(hosts, w.hosts...)
	}
	f.changed(hosts...)
	later(20, 120, func() {
		f.note(hosts...)
		for _, w := range switches {
			w.down = false
		}
		f.changed(hosts...)
		f.speak(hosts...)
	})
}

// note writes down when machines were last not well.
func (f *fate) note(machines ...*machine) {
	for _, m := range machines {
		if !f.path(m, f.relay) {
			f.was[m] = f.now
		}
		if m.agent != running {
			f.agentless[m] = f.now
		}
	}
}

// mustTell: a death is told, within the goal where nothing is lost and somebody
// watched, unless nobody can see it.
func (f *fate) mustTell(m *machine) {
	died, disturbed, watched := f.now, f.cutOffs, !m.outed && !f.engine.mayNotJudge()
	delete(f.named, m)
	f.in(40*time.Second, func() {
		at, ok := f.named[m]
		took := at.Sub(died)
		switch {
		case f.cutOffs != disturbed || f.relay.cut || f.engine.mayNotJudge():
		case !ok && !f.isNamed(m):
			f.t.Errorf("%v: the death of %s at %v was not told", f.now.Sub(f.start), m.name, died.Sub(f.start))
		case ok && watched:
			if f.took = append(f.took, took); took > 6*time.Second && f.loss == 0 {
				f.t.Errorf("the death of %s at %v was told after %v", m.name, died.Sub(f.start), took)
			}
		}
	})
}

// isNamed: a verdict from before its latest death still stands.
func (f *fate) isNamed(m *machine) bool {
	for _, v := range f.open {
		if slices.Contains(v.Hosts, hostID(m.id)) {
			return true
		}
	}
	return false
}

// hold holds a verdict against what is true, give or take the time that an
// answer takes.
func (f *fate) hold(v uplink.VerdictBody) {
	if message := checkVerdict(v); message != "" {
		f.t.Errorf("%s: %s", v.Kind, message)
	}
	if v.Over != 0 {
		delete(f.open, string(v.ID))
		return
	}
	f.open[string(v.ID)] = v
	f.verdicts++
	lately := func(at time.Time) bool { return !at.IsZero() && f.now.Sub(at) < 1500*time.Millisecond }
	beyond := func(m *machine) bool { return m.off || m.wiring.down || !f.relay.cut && lately(f.was[m]) }
	for _, id := range v.Hosts {
		m := f.byID[ring.ID(id.UUID)]
		right := false
		switch v.Kind {
		case uplink.HostDown, uplink.SwitchDown, uplink.ZoneDown:
			right = beyond(m)
		case uplink.ProbeDown:
			right = m.agent == killed || m.agent == stopped || lately(f.agentless[m])
		case uplink.ProbeUnresponsive:
			right = m.agent == frozen || lately(f.agentless[m])
		case uplink.HostShutDown:
			right = m.agent == stopped
		}
		if _, ok := f.named[m]; !ok {
			f.named[m] = f.now
		}
		if !right {
			f.t.Errorf("%v: %s %s is not true: %+v", f.now.Sub(f.start), v.Kind, m.name, f.facts(m, v))
		}
	}
	if v.Kind == uplink.SiteCutOff {
		f.cutOffs++
		for _, m := range f.hosts {
			if m.agent == running && !beyond(m) && !lately(f.agentless[m]) && !f.relay.cut {
				f.t.Errorf("%v: the relay is not cut off, %s is well", f.now.Sub(f.start), m.name)
			}
		}
	}
}

func (f *fate) facts(m *machine, v uplink.VerdictBody) string {
	return fmt.Sprintf("off %t, switch down %t, agent %d, relay cut %t, evidence %+v", m.off, m.wiring.down, m.agent, f.relay.cut, v.Evidence)
}

// finish: all is well again, and nothing stands.
func (f *fate) finish() {
	for _, v := range f.open {
		f.t.Errorf("%s of %s stands, though all is well", v.Kind, f.byID[ring.ID(v.Hosts[0].UUID)].name)
	}
	for _, h := range f.engine.list {
		if h.out {
			f.t.Errorf("%s is out of the rings, though all is well", f.byID[h.ID].name)
		}
		if h.doubt != nil {
			f.t.Errorf("%s is in doubt, though all is well", f.byID[h.ID].name)
		}
	}
}

func (f *fate) quantile(q float64) time.Duration {
	if len(f.took) == 0 {
		return 0
	}
	slices.Sort(f.took)
	return f.took[int(q*float64(len(f.took)-1))].Round(10 * time.Millisecond)
}
