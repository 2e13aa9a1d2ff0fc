package sessions

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/relay/internal/enrol"
	"assimilation/relay/internal/limit"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
	"assimilation/wire/link"
	"assimilation/wire/session"
)

// Bounds of what the table holds.
const (
	maxSessions  = 150_000
	maxPending   = 4096
	maxStrangers = 4096
	maxInbox     = 16_384
	// strangerBytes is what a stranger may send: an enrolment has some 300.
	strangerBytes = 64 << 10
	// What one host may say, in bytes when expanded: so much at once, and so much
	// per second. Every message counts messageCost more, for what it costs to write.
	hostBurst   = 64 << 20
	hostRate    = 2 << 20
	messageCost = 16 << 10
	// loudCost is that of a message that is heard by more than the relay: 32 at once,
	// then one in a second.
	loudCost = 2 << 20
)

// Times.
const (
	pendingLife   = 10 * time.Second
	strangerLife  = 60 * time.Second
	idleLife      = 10 * time.Minute
	maxAge        = wire.RekeyAfterTime + 10*time.Minute // its probe should have made a new one
	echoInterval  = 30 * time.Second                     // ordered of the probes
	silentAfter   = 45 * time.Second
	echoes        = 3
	echoPause     = time.Second
	graceAtStart  = 90 * time.Second
	retryState    = 5 * time.Second // after a write of a state failed
	reportedAgain = 10 * time.Minute
	orderTime     = 1500 * time.Millisecond // for a token's order to arrive
)

// Sender puts a datagram on the wire, and does not wait.
type Sender interface {
	Send(datagram []byte, to netip.AddrPort)
}

// Config is what a Table needs.
type Config struct {
	Store    *store.Store
	Desk     *enrol.Desk
	Send     Sender
	Log      *slog.Logger
	Dropped  *prometheus.CounterVec // datagrams, by "reason"
	Messages *prometheus.CounterVec // by "type" and "result"
	Random   func() float64         // jitter; nil: random

	Observers []Observer
	// Wanted says whose datagrams Heard is told of; nil: of nobody. It is called
	// for each of them, in the owner's goroutine.
	Wanted func(tenancy.HostID) bool
}

// Table is the sessions and the presence of hosts. New makes one, Run runs it;
// the other methods are safe for concurrent use while it runs.
type Table struct {
	Config
	inbox   chan input
	mail    mailbox
	disk    mailbox      // what may have to wait for the store
	count   atomic.Int64 // sessions
	reports *limit.Table[string]

	// The rest belongs to Run.
	started   time.Time
	byIndex   map[uint32]*peer
	byKey     map[[32]byte]*host
	byID      map[tenancy.HostID]*host
	hostCount atomic.Int64
	retired   map[tenancy.HostID]struct{}
	pending   int
	strangers int
	timers    timers
	touched   []*peer
	budget    budget
	// word is what probes are told by the site; words counts its changes.
	word  SiteWord
	words uint64
}

// input is a datagram of a session, or a handshake that was answered.
type input struct {
	datagram []byte
	from     netip.AddrPort
	release  func([]byte)
	arrival  *Arrival
}

// Arrival is a handshake that was found genuine. Unless this relay began it,
// nothing is known yet about whether it is fresh.
type Arrival struct {
	Session *session.Session // its LocalIndex was drawn at random
	Key     [32]byte
	Called  bool   // the probe has answered this relay's own Handshake1
	Reply   []byte // nil if Called
	From    netip.AddrPort
}

// peer is one session.
type peer struct {
	link    *link.Link
	index   uint32
	key     [32]byte
	address netip.AddrPort
	born    time.Time
	live    bool // an authentic transport packet came
	trial   bool // of a key that is held twice: what it says first decides
	host    *host
	bytes   int
	awaited []*wait
	closed  bool
	dirty   bool
	patient bool // an unknown token was given time already
	// revocation is what the probe was told in this session.
	revocation []byte
	account
	timer
}

// host is the presence of one enrolled host.
type host struct {
	id      tenancy.HostID
	key     [32]byte
	name    string
	state   uplink.State
	term    uint64
	heard   time.Time
	greeted time.Time // when its last Hello came
	left    time.Time // when its last Goodbye came
	echoed  int       // unanswered echoes since heard
	writes  bool      // a change of state is on its way to disk
	peer    *peer
	clones  clones
	// siteKeys is the sequence of the newest statement of the site's keys that its
	// probe has.
	siteKeys uint64
	// elsewhere: another relay of the site has it.
	elsewhere bool
	// address is where its last session was, of this run or the one before.
	address netip.AddrPort

	bucket  float64 // what its messages cost, less what leaked away since
	charged time.Time
	timer
}

// spent is what the host has used of its burst by now.
func (h *host) spent(now time.Time) float64 {
	return max(0, h.bucket-now.Sub(h.charged).Seconds()*hostRate)
}

func (h *host) spend(now time.Time, cost int) {
	// No more than that is owed: who stops is heard again soon.
	h.bucket, h.charged = min(h.spent(now)+float64(cost), 2*hostBurst), now
}

// New reads the hosts and makes the table.
func New(ctx context.Context, c Config) (*Table, error) {
	if c.Random == nil {
		c.Random = rand.Float64
	}
	t := &Table{
		Config: c, inbox: make(chan input, maxInbox), mail: newMailbox(), disk: newMailbox(),
		reports: limit.NewTable[string](reportedAgain, 1, 4096),
		byIndex: map[uint32]*peer{}, byKey: map[[32]byte]*host{}, byID: map[tenancy.HostID]*host{}, started: time.Now(),
	}
	c.Desk.Later = t.Later
	hosts, err := c.Store.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	if t.retired, err = t.loadRetired(ctx); err != nil {
		return nil, err
	}
	for _, h := range hosts {
		t.addHost(h, t.started.Add(graceAtStart-silentAfter))
	}
	return t, nil
}

func (t *Table) loadRetired(ctx context.Context) (map[tenancy.HostID]struct{}, error) {
	ids, err := t.Store.Retired(ctx)
	if err != nil {
		return nil, err
	}
	retired := make(map[tenancy.HostID]struct{}, len(ids))
	for _, id := range ids {
		retired[id] = struct{}{}
	}
	return retired, nil
}

// Sessions is how many sessions there are.
func (t *Table) Sessions() int { return int(t.count.Load()) }

// Hosts is how many hosts are enrolled.
func (t *Table) Hosts() int { return int(t.hostCount.Load()) }

// Deliver queues a transport packet. When the queue is full it drops it and
// returns false. release is called with the datagram when it was read.
func (t *Table) Deliver(datagram []byte, from netip.AddrPort, release func([]byte)) bool {
	return t.offer(input{datagram: datagram, from: from, release: release})
}

// Arrive queues an answered handshake, as Deliver does.
func (t *Table) Arrive(a Arrival) bool { return t.offer(input{arrival: &a}) }

func (t *Table) offer(in input) bool {
	select {
	case t.inbox <- in:
		return true
	default:
		return false
	}
}

// Retire closes the sessions of hosts that orders retired, and refuses their
// keys from now on.
func (t *Table) Retire(ctx context.Context, known []tenancy.HostID) error {
	retired, err := t.loadRetired(ctx)
	if err != nil {
		return err
	}
	_, err = ask(ctx, t, func() struct{} {
		for _, id := range known {
			if h := t.byID[id]; h != nil {
				t.dropHost(h)
				t.observe(Retired{id})
			}
		}
		t.retired = retired
		return struct{}{}
	})
	return err
}

// Later runs fn, which may wait for the store, in a goroutine that does nothing
// else, in order.
func (t *Table) Later(fn func()) { t.disk.post(fn) }

// Run owns the table until ctx ends.
func (t *Table) Run(ctx context.Context) error {
	var feeding sync.WaitGroup
	feeding.Go(func() { t.disk.run(ctx) })
	defer feeding.Wait()
	clock := time.NewTimer(0)
	defer clock.Stop()
	for {
		select {
		case in := <-t.inbox:
			t.take(in)
		case <-t.mail.woken:
			for _, deliver := range t.mail.open() {
				deliver()
			}
		case <-clock.C:
		case <-ctx.Done():
			return nil
		}
		t.drain()
		now := time.Now()
		t.runTimers(now)
		t.flush(now)
		if next, ok := t.timers.next(); ok {
			clock.Reset(max(0, next.Sub(now)))
		}
	}
}

// drain takes in what is queued already, so that one flush answers it all.
func (t *Table) drain() {
	for range 64 {
		select {
		case in := <-t.inbox:
			t.take(in)
		default:
			return
		}
	}
}

func (t *Table) take(in input) {
	now := time.Now()
	if in.arrival != nil {
		t.arrive(now, *in.arrival)
		return
	}
	t.receive(now, in.datagram, in.from)
	in.release(in.datagram)
}

// touch marks a session whose link may have something to send.
func (t *Table) touch(p *peer) {
	if !p.dirty && !p.closed {
		p.dirty = true
		t.touched = append(t.touched, p)
	}
}

// flush shares out the credit and sends what links have to send. A pending
// session stays mute: its peer may be a replay.
func (t *Table) flush(now time.Time) {
	for _, p := range t.touched {
		if !p.closed && p.live {
			t.budget.reckon(now, p)
		}
	}
	t.budget.allot(now, t.touch)
	for _, p := range t.touched {
		p.dirty = false
		if p.closed {
			continue
		}
		var wake time.Time
		if p.live {
			var datagrams [][]byte
			datagrams, wake = p.link.Poll(now)
			for _, d := range datagrams {
				t.Send.Send(d, p.address)
			}
		}
		t.timers.set(p, earlier(wake, t.endOf(p)))
	}
	clear(t.touched)
	t.touched = t.touched[:0]
}

// submit queues a write; then runs in the owner's goroutine when it is durable
// or has failed.
func (t *Table) submit(fn func(*store.Tx) error, then func(error)) {
	t.Later(func() { t.Store.Submit(fn, func(err error) { t.mail.post(func() { then(err) }) }) })
}

func (t *Table) drop(reason string) { t.Dropped.WithLabelValues(reason).Inc() }

// mailbox is a queue that never blocks its senders. What is in it is bounded by
// the budget of credit: each message without a verdict is in it once at most.
type mailbox struct {
	mu    sync.Mutex
	queue []func()
	woken chan struct{}
}

func newMailbox() mailbox { return mailbox{woken: make(chan struct{}, 1)} }

func (m *mailbox) post(fn func()) {
	m.mu.Lock()
	m.queue = append(m.queue, fn)
	m.mu.Unlock()
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

func (m *mailbox) open() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	m.queue = nil
	return queue
}

// run does what is posted until ctx ends; what is left then was promised to
// nobody.
func (m *mailbox) run(ctx context.Context) {
	for {
		select {
		case <-m.woken:
			for _, fn := range m.open() {
				if ctx.Err() != nil {
					return
				}
				fn()
			}
		case <-ctx.Done():
			return
		}
	}
}

// dropReason names why a link turned a datagram away, for the counter.
func dropReason(err error) string {
	switch {
	case errors.Is(err, session.ErrAuth):
		return "not authentic"
	case errors.Is(err, session.ErrReplay):
		return "replayed"
	}
	return wire.Malformed.String()
}
