package verdict

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/uplink"
)

// site is a simulated one: hosts on switches in zones, real rings, heartbeats
// that come or do not, a relay that asks. Its time is its own.
//
// It is honest about what a relay can know: witnesses report through the same
// network, an agent that is frozen reports nothing and counts nothing while it
// is, and what could not be told is told when the way is free again.
type site struct {
	t      testing.TB
	engine *Engine
	rings  *ring.State
	relay  *machine
	random *rand.Rand
	loss   float64 // of datagrams, each way
	beat   time.Duration

	start, now time.Time
	events     events
	order      int
	hosts      []*machine
	byID       map[ring.ID]*machine
	switches   map[string]*wiring
	told       []told
	asks       int
	orders     int
	wrong      []string // witnesses whose word was refuted
	steps      int
	spent      time.Duration // by the engine
	tick       time.Time
	watcher    func(uplink.VerdictBody) // is shown every record
}

// told is a verdict as it was told, and when.
type told struct {
	after time.Duration
	uplink.VerdictBody
}

// wiring is a switch: what is behind it is reached through it.
type wiring struct {
	name, zone string
	down       bool
	assumed    bool // it is a guess
	hosts      []*machine
}

// machine is a host, or the relay.
type machine struct {
	id     ring.ID
	name   string
	wiring *wiring
	off    bool // no power
	cut    bool // its cable
	agent  agent
	noPort bool
	edges  map[ring.ID]*edge
	asking bool
	owed   map[ring.ID]Event // what it has to report and could not
	owes   bool              // an attempt is under way
	outed  bool              // of the rings
}

type agent uint8

const (
	running agent = iota
	frozen
	killed
	stopped // it said goodbye
)

func newSite(t testing.TB, seed uint64) *site {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &site{
		t: t, random: rand.New(rand.NewPCG(seed, seed)), beat: time.Second, start: start, now: start,
		byID: map[ring.ID]*machine{}, switches: map[string]*wiring{},
	}
	s.relay = &machine{id: ring.ID{0: 0xff}, name: "relay", wiring: &wiring{name: "core"}, edges: map[ring.ID]*edge{}}
	s.byID[s.relay.id] = s.relay
	s.rings = ring.New(s.relay.id)
	s.newEngine()
	return s
}

func (s *site) newEngine() {
	var ids uint64
	s.engine = New(Config{
		Self: s.relay.id, Beat: s.beat,
		Name: func(name string) []byte { return append([]byte(name), make([]byte, 16)...)[:16] },
		NewID: func() (id [16]byte) {
			ids++
			binary.BigEndian.PutUint64(id[8:], ids)
			return id
		},
	})
}

// add makes a switch of a zone with hosts, named by the switch and a number.
func (s *site) add(name, zone string, hosts int) []*machine {
	w := s.switches[name]
	if w == nil {
		w = &wiring{name: name, zone: zone}
		s.switches[name] = w
	}
	for range hosts {
		m := &machine{name: fmt.Sprintf("%s%d", name, len(w.hosts)+1), wiring: w, edges: map[ring.ID]*edge{}}
		binary.BigEndian.PutUint64(m.id[:], uint64(len(s.hosts)+1))
		w.hosts, s.hosts = append(w.hosts, m), append(s.hosts, m)
		s.byID[m.id] = m
	}
	return w.hosts
}

func (m *machine) placed(watchers ...ring.ID) Placed {
	return Placed{Host{Member: m.member(), Watchers: watchers, Assumed: m.wiring.assumed}}
}

func (m *machine) member() ring.Member {
	return ring.Member{ID: m.id, Domain: m.wiring.name, Zone: m.wiring.zone}
}

// enrol tells engine and rings of hosts, and lets them greet.
func (s *site) enrol(hosts ...*machine) {
	for _, m := range hosts {
		s.step(m.placed())
		s.step(Greeted{m.id})
		s.reorder(s.rings.Join(m.member()))
	}
}

// settled enrols everybody, and lets the start's grace pass.
func (s *site) settled() *site {
	s.enrol(s.hosts...)
	s.run(30 * time.Second)
	s.told, s.asks, s.orders, s.steps, s.spent = nil, 0, 0, 0, 0
	s.start = s.now
	return s
}

func (s *site) named(name string) *machine {
	if name == "relay" {
		return s.relay
	}
	for _, m := range s.hosts {
		if m.name == name {
			return m
		}
	}
	s.t.Fatalf("no host %q", name)
	return nil
}

// event is something that happens at a time.
type event struct {
	at    time.Time
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = event{}
	*e = (*e)[:last]
	return x
}

func (s *site) in(d time.Duration, do func()) {
	s.order++
	heap.Push(&s.events, event{s.now.Add(d), s.order, do})
}

func (s *site) run(d time.Duration) {
	end := s.now.Add(d)
	for len(s.events) > 0 && !s.events[0].at.After(end) {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
	}
	s.now = end
}

// step gives the engine an event, and does what it says.
func (s *site) step(ev Event) {
	s.steps++
	begun := time.Now()
	made := s.engine.Step(s.now, ev)
	s.spent += time.Since(begun)
	s.asks += len(made.Ask)
	for _, id := range made.Ask {
		s.ask(s.byID[id])
	}
	for _, v := range made.Verdicts {
		s.told = append(s.told, told{s.now.Sub(s.start), v})
		if s.watcher != nil {
			s.watcher(v)
		}
	}
	for _, id := range made.FalseAccusations {
		s.wrong = append(s.wrong, s.byID[id].name)
	}
	for _, id := range made.Gone {
		s.byID[id].outed = true
		s.reorder(s.rings.Leave(id))
	}
	for _, id := range made.Back {
		s.byID[id].outed = false
		s.reorder(s.rings.Join(s.byID[id].member()))
	}
	if wake := s.engine.Wake(); !wake.IsZero() && (s.tick.IsZero() || wake.Before(s.tick)) {
		s.tick = wake
		s.in(max(wake.Sub(s.now), 0), func() {
			if s.now.Equal(s.tick) || s.now.After(s.tick) {
				s.tick = time.Time{}
				s.step(Tick{})
			}
		})
	}
}

func (s *site) lost() bool { return s.loss > 0 && s.random.Float64() < s.loss }

// path: packets of a come to b.
func (s *site) path(a, b *machine) bool {
	if a.off || b.off || a.cut || b.cut {
		return false
	}
	return !a.wiring.down && !b.wiring.down
}

// flows: a beats, and it comes to b.
func (s *site) flows(a, b *machine, e *edge) bool {
	return a.agent == running && s.path(a, b) && !e.deaf
}

// ask is the relay's: three echoes and eight connects, spread over the limit.
func (s *site) ask(m *machine) {
	if m.asking {
		s.t.Errorf("%s is asked twice at once", m.name)
	}
	m.asking = true
	const limit, trip = 1200 * time.Millisecond, time.Millisecond
	var echoed, connected bool
	told := func(ev Event) {
		m.asking = m.asking && !(echoed && connected)
		s.step(ev)
	}
	for i := range 3 {
		s.in(time.Duration(i)*400*time.Millisecond, func() {
			if !echoed && s.path(m, s.relay) && m.agent == running && !s.lost() && !s.lost() {
				echoed = true
				s.in(trip, func() { told(Echoed{m.id, true}) })
			}
		})
	}
	for i := range 8 {
		s.in(time.Duration(i)*150*time.Millisecond, func() {
			if connected || m.noPort || !s.path(m, s.relay) || s.lost() || s.lost() {
				return
			}
			connected = true
			outcome := Taken
			if m.agent == killed || m.agent == stopped {
				outcome = Refused
			}
			s.in(trip, func() { told(Connected{m.id, outcome}) })
		})
	}
	s.in(limit, func() {
		if !echoed {
			echoed = true
			told(Echoed{m.id, false})
		}
		if !connected {
			connected = true
			outcome := NoAnswer
			if m.noPort {
				outcome = NoPort
			}
			told(Connected{m.id, outcome})
		}
	})
}

// changed has everything looked at anew that some machines' change may concern.
func (s *site) changed(machines ...*machine) {
	if s.loss > 0 {
		return // every beat is counted anyway
	}
	for _, m := range machines {
		for _, e := range sortedEdges(m) {
			s.follow(m, e)
			if back := e.to.edges[m.id]; back != nil {
				s.follow(e.to, back)
			}
		}
	}
}

func sortedEdges(m *machine) []*edge {
	list := make([]*edge, 0, len(m.edges))
	for _, e := range m.edges {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *edge) int { return slices.Compare(a.to.id[:], b.to.id[:]) })
	return list
}

// speak is what an agent does that can speak again: an authentic datagram comes
// to the relay, and it does not blame others for the time that it missed itself.
func (s *site) speak(machines ...*machine) {
	for _, m := range machines {
		for _, e := range m.edges {
			e.last = s.now
		}
		s.in(time.Duration(s.random.Int64N(int64(s.beat))), func() {
			if m.agent == running && s.path(m, s.relay) && s.engine.Interesting(m.id) {
				s.step(Heard{m.id})
			}
		})
	}
}

// restart is a new session, of a probe or a host.
func (s *site) restart(m *machine) {
	m.off, m.cut, m.agent = false, false, running
	s.greet(m)
	s.changed(m)
}

func (s *site) greet(m *machine) {
	s.in(100*time.Millisecond, func() {
		switch {
		case m.off || m.agent == killed || m.agent == stopped:
		case m.agent == running && s.path(m, s.relay):
			s.step(Greeted{m.id})
		default:
			s.greet(m)
		}
	})
}

// account lists what was told, one line per record: which verdict, about whom.
func (s *site) account() []string {
	var lines []string
	for _, v := range s.told {
		var names []string
		for _, id := range v.Hosts {
			names = append(names, s.byID[ring.ID(id.UUID)].name)
		}
		slices.Sort(names)
		line := string(v.Kind)
		if len(names) > 0 {
			line += " " + strings.Join(names, ",")
		}
		if v.Over != 0 {
			line += ": " + v.Ending
		}
		lines = append(lines, line)
	}
	return lines
}
