package verdict

import (
	"slices"
	"testing"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/uplink"
)

// TestPace: what follows the beat does so.
func TestPace(t *testing.T) {
	for _, beat := range []time.Duration{500 * time.Millisecond, 10 * time.Second} {
		for script, want := range map[string]string{
			"0 off a2":    "host down a2",
			"0 down b":    "switch down b1,b2,b3,b4",
			"0 freeze a3": "agent unresponsive a3",
		} {
			s := newSite(t, 3)
			s.beat = beat
			s.newEngine()
			s.add("a", "one", 4)
			s.add("b", "one", 4)
			s.enrol(s.hosts...)
			s.run(30 * beat)
			s.told, s.start = nil, s.now
			s.play(script)
			s.run(8 * beat)
			if got := s.account(); !slices.Equal(got, []string{want}) {
				t.Errorf("beat %v, %s: told %q", beat, script, got)
			} else if within := 5*beat/2 + 3500*time.Millisecond; s.told[0].after > within {
				t.Errorf("beat %v, %s: told after %v, want %v", beat, script, s.told[0].after, within)
			}
		}
	}
}

// TestLiar: whoever says again and again that another is silent changes nothing
// but a counter, and is no witness when the other dies.
func TestLiar(t *testing.T) {
	s := lab(t)
	for range 20 {
		s.step(Missed{By: s.named("a1").id, About: s.named("a2").id, Age: 3 * time.Second})
		s.run(2 * time.Second)
		s.step(Hears{By: s.named("a1").id, About: s.named("a2").id})
		s.run(2 * time.Second)
	}
	if len(s.told) > 0 || len(s.wrong) < 5 {
		t.Errorf("a liar made %q, counted %d times", s.account(), len(s.wrong))
	}
	if slices.ContainsFunc(s.wrong, func(name string) bool { return name != "a1" }) {
		t.Errorf("counted as wrong: %q", s.wrong)
	}
	asked := s.asks
	if asked > 100 {
		t.Errorf("20 lies had %d asked", asked)
	}
	s.named("a2").off = true
	s.changed(s.named("a2"))
	s.run(20 * time.Second)
	if got := s.account(); !slices.Equal(got, []string{"host down a2"}) {
		t.Errorf("then it died: told %q", got)
	}
}

// TestStrangersAreNoWitnesses: only neighbours may accuse.
func TestStrangersAreNoWitnesses(t *testing.T) {
	s := lab(t)
	for range 5 {
		s.step(Missed{By: s.named("c4").id, About: s.named("a2").id})
		s.step(Missed{By: ring.ID{1, 2, 3}, About: s.named("a2").id})
		s.step(Missed{By: s.named("a1").id, About: ring.ID{1, 2, 3}})
		s.step(Missed{By: s.named("b1").id, About: s.relay.id})
	}
	s.run(10 * time.Second)
	if s.asks > 0 || len(s.told) > 0 {
		t.Errorf("%d asked, told %q", s.asks, s.account())
	}
}

// TestRestart: verdicts that stood when the relay stopped stand, and end, when
// it runs again.
func TestRestart(t *testing.T) {
	s := lab(t)
	s.play("0 off a1\n1 stop b2\n2 down c\n3 freeze b4")
	s.run(30 * time.Second)
	open := s.engine.Open()
	if len(open) != 4 {
		t.Fatalf("open: %d, told %q", len(open), s.account())
	}
	s.newEngine()
	gone := s.engine.Restore(open)
	if len(gone) != 7 {
		t.Errorf("%d are out of the rings, want 7", len(gone))
	}
	s.told, s.tick = nil, time.Time{}
	s.engine.config.NewID = func() [16]byte { return [16]byte{1, byte(len(s.told))} }
	for _, m := range s.hosts {
		var watchers []ring.ID
		for _, n := range s.rings.Neighbours(m.id) {
			watchers = append(watchers, n.ID)
		}
		s.step(Placed{Host{Member: m.member(), Watchers: watchers}})
	}
	for _, m := range s.hosts {
		if m.agent == running && s.path(m, s.relay) {
			s.step(Greeted{m.id})
		}
	}
	s.run(30 * time.Second)
	if len(s.told) > 0 {
		t.Errorf("after the restart: told %q", s.account())
	}
	s.play("0 on a1\n1 on b2\n2 up c\n3 thaw b4")
	s.run(30 * time.Second)
	if open := s.engine.Open(); len(open) > 0 {
		t.Errorf("all is well, and open are %d, the first %s", len(open), open[0].Kind)
	}
	if len(s.told) != 4 || slices.ContainsFunc(s.told, func(v told) bool { return v.Ending != endedBack }) {
		t.Errorf("told %q", s.account())
	}
}

// TestRestartWithoutHost: a host was retired while the relay was down.
func TestRestartWithoutHost(t *testing.T) {
	s := lab(t)
	s.play("0 off a1\n0 down c")
	s.run(30 * time.Second)
	open := s.engine.Open()
	s.newEngine()
	s.engine.Restore(open)
	s.told, s.tick = nil, time.Time{}
	for _, m := range s.hosts[1:10] { // a1, c3 and c4 are no more
		s.step(Placed{Host{Member: m.member()}})
	}
	s.play("1 up c")
	s.run(time.Minute)
	if len(s.told) > 0 {
		t.Errorf("too early: %q", s.account())
	}
	s.run(2 * time.Minute)
	want := []string{"host down a1: retired", "switch down c1,c2,c3,c4: back"}
	if got := s.account(); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestLateRelay: a relay that did not run itself believes no silence of that
// time.
func TestLateRelay(t *testing.T) {
	s := lab(t)
	victim := s.named("a2")
	var watchers []ring.ID
	for _, e := range sortedEdges(victim) {
		watchers = append(watchers, e.to.id)
	}
	e, now := s.engine, s.now
	asked := 0
	for _, by := range watchers {
		asked += len(e.Step(now, Missed{By: by, About: victim.id, Age: 2500 * time.Millisecond}).Ask)
	}
	now = now.Add(4 * time.Second) // the relay was stopped, then takes in what its timers brought
	e.Step(now, Hears{By: watchers[0], About: s.named("a1").id})
	e.Step(now, Echoed{victim.id, false})
	made := e.Step(now, Connected{victim.id, NoAnswer})
	if len(made.Verdicts) > 0 {
		t.Errorf("%s, by a silence that was the relay's own", made.Verdicts[0].Kind)
	}
	if !slices.Contains(made.Ask, victim.id) {
		t.Error("it is not asked again")
	}
}

func TestMoments(t *testing.T) {
	s := lab(t)
	a1 := s.named("a1").id
	s.step(Stepped{a1, -3 * time.Hour})
	s.step(Cloned{About: a1})
	s.step(Cloned{About: a1})
	s.step(Cloned{About: a1, Settled: true})
	want := []string{"clock stepped a1: momentary", "clone a1", "clone a1: back"}
	if got := s.account(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	for _, v := range s.told {
		if message := checkVerdict(v.VerdictBody); message != "" {
			t.Errorf("%s: %s", v.Kind, message)
		}
	}
	if _, down := uplink.Clone.HostState(); down || s.engine.hosts[a1].out {
		t.Error("a clone is out of the rings")
	}
}

// TestRemoved: with a host goes what stood about it.
func TestRemoved(t *testing.T) {
	s := lab(t)
	s.play("0 off a1\n0 down c\n0 deafen b2 b3\n0 deafen b3 b2")
	s.run(20 * time.Second)
	if got := len(s.engine.Open()); got != 3 {
		t.Fatalf("open: %d, told %q", got, s.account())
	}
	for _, m := range s.hosts {
		s.reorder(s.rings.Leave(m.id))
		s.step(Removed{m.id})
		m.edges = nil
	}
	e := s.engine
	if len(e.Open())+len(e.hosts)+len(e.list)+len(e.domains)+len(e.zones)+len(e.accused)+len(e.quiet)+len(e.links)+len(e.records) > 0 {
		t.Errorf("left: %d open, %d hosts, %d domains, %d zones, %d accused, %d quiet, %d links", len(e.Open()), len(e.hosts), len(e.domains), len(e.zones), len(e.accused), len(e.quiet), len(e.links))
	}
	for _, v := range s.told {
		if v.Over != 0 && v.Ending != endedRetired {
			t.Errorf("%s ended as %q", v.Kind, v.Ending)
		}
	}
}
