package verdict

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/uplink"
)

// Config is what an engine needs to know. The zero of a field means what stands
// in brackets.
type Config struct {
	Self ring.ID       // the relay, as a member of rings
	Beat time.Duration // between heartbeats [1 s]
	// AskLimit is how long the relay goes on asking a host before it says that it
	// did not answer [1.2 s].
	AskLimit time.Duration
	// Company is how long a domain's first suspicion waits for others, so that a
	// dead switch is one verdict [500 ms].
	Company time.Duration
	Budget  int // of hosts asked in a second [500]
	// Name gives a domain or a zone its opaque name of 16 bytes.
	Name  func(string) []byte
	NewID func() [16]byte // of verdicts
}

// Engine holds what is known and doubted. Its methods are not for use by several
// goroutines at once.
type Engine struct {
	config Config
	random *rand.Rand // chooses samples

	hosts   map[ring.ID]*host
	list    []*host // the same, to choose from
	domains map[domainKey]*domain
	zones   map[string]*zone

	accused map[*host]struct{} // by a word that stands
	quiet   map[*host]struct{} // whose session is silent
	records map[ring.ID]*record

	verdicts map[[16]byte]*verdict
	homeless map[ring.ID]*verdict // restored, of hosts that are not placed yet
	links    map[pair]*verdict
	clones   map[ring.ID]*verdict

	started   time.Time // zero: before the first step
	wake      time.Time // as last told
	voided    time.Time // what was asked before it does not count: the relay itself was late
	lastHeard time.Time // a sign of life of any host
	lastSpoke *host     // who was heard last by name
	lastAsked time.Time
	voucher   alarm
	noCarrier time.Time // zero: there is one
	check     siteCheck
	cut       *verdict  // the site is cut off
	grace     alarm     // set: nobody is judged yet
	patience  alarm     // set: those whose session is silent may only not have come back yet
	calmUntil time.Time // of patience
	openings  bucket

	alarms alarms
	asks   asker
	todo   work
	made   Effects // by the step under way
}

// New makes an engine that knows no host. Its clock starts with the first Step.
func New(c Config) *Engine {
	if c.Beat == 0 {
		c.Beat = time.Second
	}
	if c.AskLimit == 0 {
		c.AskLimit = 1200 * time.Millisecond
	}
	if c.Company == 0 {
		c.Company = 500 * time.Millisecond
	}
	if c.Budget == 0 {
		c.Budget = 500
	}
	seed := c.NewID()
	e := &Engine{
		config: c, random: rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:]), binary.BigEndian.Uint64(seed[8:]))),
		hosts: map[ring.ID]*host{}, domains: map[domainKey]*domain{}, zones: map[string]*zone{},
		accused: map[*host]struct{}{}, quiet: map[*host]struct{}{}, records: map[ring.ID]*record{},
		verdicts: map[[16]byte]*verdict{}, homeless: map[ring.ID]*verdict{}, links: map[pair]*verdict{}, clones: map[ring.ID]*verdict{},
		asks: newAsker(c.Budget), openings: newBucket(float64(c.Budget) / 5),
	}
	e.grace.ring, e.patience.ring = e.endGrace, e.endPatience
	e.check.alarm.ring, e.voucher.ring = e.endCheck, e.vouch
	return e
}

// beats is a time that follows the beat.
func (e *Engine) beats(n float64) time.Duration { return time.Duration(n * float64(e.config.Beat)) }

// Step takes one event in. Times carry the wall clock, for what is told, and
// should carry the monotonic clock, for what is measured.
func (e *Engine) Step(now time.Time, ev Event) Effects {
	e.made = Effects{}
	if e.started.IsZero() {
		e.started = now
		e.pause(now, startGrace, bootPatience)
		if e.cut != nil { // restored
			e.listen(now)
		}
	}
	if !e.wake.IsZero() && now.Sub(e.wake) > max(e.beats(0.5), 500*time.Millisecond) {
		e.voided = now
	}
	e.take(now, ev)
	e.settle(now)
	for a := e.alarms.next(now); a != nil; a = e.alarms.next(now) {
		a.ring(now)
		e.settle(now)
	}
	for d := e.asks.next(now); d != nil; d = e.asks.next(now) {
		e.asked(now, d)
	}
	e.wake = e.asks.wake(now)
	if len(e.alarms) > 0 && (e.wake.IsZero() || e.alarms[0].at.Before(e.wake)) {
		e.wake = e.alarms[0].at
	}
	return e.made
}

// Wake is when a Tick is due; zero: nothing waits for time to pass. It may change
// with every Step.
func (e *Engine) Wake() time.Time { return e.wake }

// Interesting reports whether the engine wants to be told (Heard) that a host
// spoke.
func (e *Engine) Interesting(id ring.ID) bool {
	h := e.hosts[id]
	return h != nil && (h.doubt != nil || h.verdict != nil || h.silent || h.out || e.cut != nil || e.check.alarm.index != 0)
}

// Open are the verdicts that are not over, the oldest first.
func (e *Engine) Open() []uplink.VerdictBody {
	open := make([]uplink.VerdictBody, 0, len(e.verdicts))
	for _, v := range e.verdicts {
		open = append(open, v.body)
	}
	slices.SortFunc(open, func(a, b uplink.VerdictBody) int {
		if a.At != b.At {
			return int(a.At - b.At)
		}
		return slices.Compare(a.ID, b.ID)
	})
	return open
}

func (e *Engine) take(now time.Time, ev Event) {
	switch ev := ev.(type) {
	case Placed:
		e.place(now, ev.Host)
	case Removed:
		if h := e.hosts[ev.ID]; h != nil {
			e.remove(now, h)
		}
	case Missed:
		e.missed(now, ev)
	case Hears:
		e.hears(now, ev)
	case Echoed:
		e.echoed(now, ev)
	case Connected:
		e.connected(now, ev)
	case Unheard:
		if h := e.hosts[ev.About]; h != nil && h.verdict == nil {
			h.unheard = true
			e.suspect(now, h, urgent)
		}
	case Heard:
		if h := e.hosts[ev.About]; h != nil {
			e.hear(now, h)
		}
	case Silent:
		if h := e.hosts[ev.About]; h != nil && h.verdict == nil {
			e.silent(now, h)
		}
	case Left:
		if h := e.hosts[ev.About]; h != nil {
			e.left(now, h)
		}
	case Greeted:
		if h := e.hosts[ev.About]; h != nil {
			e.greeted(now, h)
		}
	case Cloned:
		if h := e.hosts[ev.About]; h != nil {
			e.cloned(now, h, ev.Settled)
		}
	case Stepped:
		if h := e.hosts[ev.About]; h != nil {
			e.stepped(now, h, ev.By)
		}
	case Carrier:
		e.carrier(now, ev.Up)
	case Paced:
		e.config.Beat = ev.Beat
	}
}

// work is what a step has made worth looking at again.
type work struct {
	doubts  []*doubt
	domains []*domain
	zones   []*zone
}

// look has a doubt weighed at the end of this step.
func (e *Engine) look(d *doubt) {
	if d != nil && !d.looked && !d.closed {
		d.looked = true
		e.todo.doubts = append(e.todo.doubts, d)
	}
}

func (e *Engine) lookDomain(d *domain) {
	if !d.looked {
		d.looked = true
		e.todo.domains = append(e.todo.domains, d)
	}
}

func (e *Engine) lookZone(z *zone) {
	if !z.looked {
		z.looked = true
		e.todo.zones = append(e.todo.zones, z)
	}
}

// settle looks at everything that is worth it: single hosts first, as what they
// would lead to alone is what their domain, and then their zone, waits for.
func (e *Engine) settle(now time.Time) {
	for {
		switch w := &e.todo; {
		case len(w.doubts) > 0:
			d := w.doubts[0]
			w.doubts = w.doubts[1:]
			d.looked = false
			if !d.closed {
				e.weigh(now, d)
			}
		case len(w.domains) > 0:
			d := w.domains[0]
			w.domains = w.domains[1:]
			d.looked = false
			e.judgeDomain(now, d)
		case len(w.zones) > 0:
			z := w.zones[0]
			w.zones = w.zones[1:]
			z.looked = false
			e.judgeZone(now, z)
		default:
			*w = work{}
			return
		}
	}
}
