package watch

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"assimilation/relay/internal/limit"
	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/store"
	"assimilation/relay/internal/verdict"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// DefaultBeat is between two heartbeats where the policy says nothing else.
const DefaultBeat = time.Second

// Bounds and times.
const (
	maxBeats = 8192 // heartbeats that wait to be looked at
	// What is sent to probes in a second, and at once: a site that powers on changes
	// all its rings.
	ordersPerSecond = 2000
	ordersAtOnce    = 256
	orderLimit      = 3 * time.Second
	shortestRetry   = 5 * time.Second
	longestRetry    = time.Minute
	// askLimit is how long a host that is asked has to answer; the engine waits a
	// little longer.
	askLimit    = time.Second
	engineLimit = 1200 * time.Millisecond
)

// Table is the sessions of the hosts.
type Table interface {
	Tell(host tenancy.HostID, m wire.Message, limit time.Duration, done func(error))
	Echo(host tenancy.HostID, limit time.Duration, done func(answered bool))
	Believe(hosts []tenancy.HostID, state uplink.State, since time.Time)
}

// Sender puts a datagram on the wire, and does not wait.
type Sender interface {
	Send(datagram []byte, to netip.AddrPort)
}

// Config is what a Watch needs.
type Config struct {
	Self  tenancy.RelayID
	Store *store.Store
	Send  Sender
	Dial  Dialer
	Links Links
	Log   *slog.Logger
	// Notify is told of every conclusion that is durable. It must not block; nil:
	// nobody is told.
	Notify  func(Conclusion)
	Metrics *Metrics
	Beat    time.Duration // 0: DefaultBeat
	// Secret makes the opaque names of domains.
	Secret []byte
}

// Watch watches. New makes one, Run runs it; the other methods are safe for
// concurrent use.
type Watch struct {
	Config
	mail   mailbox
	beats  chan beat
	wanted wanted
	ended  chan struct{} // closed when Run returns
	asking chan struct{} // one for each host that is being connected to

	// The rest belongs to Run.
	self     ring.ID
	table    Table
	engine   *verdict.Engine
	rings    *ring.State
	hosts    map[ring.ID]*host
	edges    edges
	pulse    pulse
	queue    []ring.ID // hosts that have to be told their neighbours
	pace     *rate.Limiter
	checks   map[check]time.Time // when to look again at what was said too early
	last     uint64              // revision of the newest order
	up       bool                // the relay's own links, towards hosts
	looking  bool                // again, soon, whether they are
	saving   saving
	open     map[verdictID]bool  // verdicts that stand
	opaques  map[string][16]byte // of domains and zones
	names    map[[16]byte]string // the other way
	liars    *limit.Table[ring.ID]
	placings *limit.Table[ring.ID]
	findings map[finding]time.Time // that stand, with their newest reason
}

// beat is a heartbeat packet as it came.
type beat struct {
	packet [wire.HeartbeatSize]byte
	from   netip.AddrPort
}

// New makes a watch over nobody yet, and takes over the verdicts that stand.
func New(ctx context.Context, c Config) (*Watch, error) {
	open, err := c.Store.OpenVerdicts(ctx)
	if err != nil {
		return nil, err
	}
	// Nobody would clear those of an earlier run.
	if err := c.Store.Do(ctx, func(tx *store.Tx) error { return tx.ClearBy(store.ByWatch, time.Now().UnixMilli()) }); err != nil {
		return nil, fmt.Errorf("clearing findings about heartbeats: %w", err)
	}
	if c.Beat == 0 {
		c.Beat = DefaultBeat
	}
	self := ring.ID(c.Self.UUID)
	w := &Watch{
		Config: c, mail: newMailbox(), beats: make(chan beat, maxBeats), ended: make(chan struct{}), asking: make(chan struct{}, maxAsking),
		self: self, rings: ring.New(self), hosts: map[ring.ID]*host{}, edges: newEdges(self), pulse: newPulse(self, c.Beat),
		pace: rate.NewLimiter(ordersPerSecond, ordersAtOnce), last: uint64(time.Now().UnixMilli()), up: true,
		saving: saving{store: c.Store, log: c.Log, mail: newMailbox(), newest: map[verdictID]*uplink.VerdictBody{}},
		open:   map[verdictID]bool{}, opaques: map[string][16]byte{}, names: map[[16]byte]string{}, liars: newLiars(), placings: newPlacings(), findings: map[finding]time.Time{},
		checks: map[check]time.Time{},
	}
	w.engine = verdict.New(verdict.Config{
		Self: self, Beat: c.Beat, AskLimit: engineLimit, Name: w.opaque, NewID: func() (id [16]byte) { rand.Read(id[:]); return id },
	})
	for _, v := range open {
		w.open[verdictID(v.ID)] = true
	}
	for _, id := range w.engine.Restore(open) {
		w.host(id).gone = true
	}
	return w, nil
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context, table Table) error {
	defer close(w.ended)
	w.table = table
	var writing sync.WaitGroup
	writing.Go(func() { w.saving.run(ctx) })
	defer writing.Wait()
	clock := time.NewTimer(0)
	defer clock.Stop()
	for {
		select {
		case <-w.mail.woken:
			for _, do := range w.mail.open() {
				do(time.Now())
			}
		case b := <-w.beats:
			w.receive(time.Now(), b)
			for range len(w.beats) {
				w.receive(time.Now(), <-w.beats)
			}
		case <-clock.C:
		case <-ctx.Done():
			return nil
		}
		clock.Reset(max(0, time.Until(w.tick(time.Now()))))
	}
}

// idle is how long nothing may happen without a look.
const idle = time.Minute

// tick does what is due, and returns when something is again.
func (w *Watch) tick(now time.Time) time.Time {
	next := now.Add(idle)
	soon := func(at time.Time) {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	soon(w.beatOut(now))
	soon(w.recheck(now))
	if at := w.engine.Wake(); !at.IsZero() && !at.After(now) {
		w.step(now, verdict.Tick{})
	}
	soon(w.engine.Wake())
	soon(w.order(now))
	return next
}

// post has do run by the owner.
func (w *Watch) post(do func(now time.Time)) { w.mail.post(do) }

// Beat takes in a heartbeat packet, and reports whether there was room for it.
func (w *Watch) Beat(packet []byte, from netip.AddrPort) bool {
	if len(packet) != wire.HeartbeatSize {
		return false
	}
	select {
	case w.beats <- beat{[wire.HeartbeatSize]byte(packet), from}:
		return true
	default:
		return false
	}
}

// SetPolicy takes in the tenant's policy of the site, and the secret of the
// site.
func (w *Watch) SetPolicy(p uplink.Policy, secret []byte) {
	w.post(func(now time.Time) {
		if !bytes.Equal(w.Secret, secret) {
			w.Secret = secret
			clear(w.opaques)
		}
		every := time.Duration(p.Beat) * time.Millisecond
		if every == 0 {
			every = DefaultBeat
		}
		if every == w.pulse.every {
			return
		}
		w.pulse.retime(now, every)
		w.step(now, verdict.Paced{Beat: every})
		for id := range w.hosts {
			w.enqueue(id)
		}
		w.Log.Info("hosts beat at another pace", "interval", every)
	})
}

var errEnded = errors.New("the watch has ended")

// ask runs a question in the owner's goroutine.
func ask[A any](ctx context.Context, w *Watch, question func(now time.Time) A) (answer A, err error) {
	result := make(chan A, 1)
	w.post(func(now time.Time) { result <- question(now) })
	select {
	case answer = <-result:
		return answer, nil
	case <-w.ended:
		return answer, errEnded
	case <-ctx.Done():
		return answer, fmt.Errorf("asking the watch: %w", ctx.Err())
	}
}

// mailbox is a queue that never blocks its senders. What is in it is bounded by
// what the sessions let in.
type mailbox struct {
	mu    sync.Mutex
	queue []func(time.Time)
	woken chan struct{}
}

func newMailbox() mailbox { return mailbox{woken: make(chan struct{}, 1)} }

func (m *mailbox) post(do func(time.Time)) {
	m.mu.Lock()
	m.queue = append(m.queue, do)
	m.mu.Unlock()
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

func (m *mailbox) open() []func(time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	m.queue = nil
	return queue
}
