package sessions_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"assimilation/relay/internal/enrol"
	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

// site is a relay's table over a real store, with an in-memory network to the
// probes. It runs inside a synctest bubble: the store's system calls do not
// block for long, so time stands still until they are over.
type site struct {
	t         *testing.T
	store     *store.Store
	table     *sessions.Table
	key       handshake.Keypair
	id        tenancy.SiteID
	dropped   *prometheus.CounterVec
	stopTable func()

	mu     sync.Mutex
	boxes  map[netip.AddrPort]chan []byte
	loss   func() bool
	events []sessions.Event
	wanted bool // to hear of every datagram
}

// Observe is for the table.
func (s *site) Observe(e sessions.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// observed takes what was observed since it was asked last.
func (s *site) observed() []sessions.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.events
	s.events = nil
	return events
}

const tokenID = "abcdefghijkl"

var secret = make([]byte, tenancy.SecretSize)

func counter(name string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name}, labels)
}

func newSite(t *testing.T, tokens ...uplink.TokenOrder) *site {
	// Package wire pools its decompressors, and one that another test's bubble
	// made is of no use in this one. Two collections empty a pool.
	runtime.GC()
	runtime.GC()
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{
		t: t, key: key, id: tenancy.NewID[tenancy.SiteID](), dropped: counter("dropped", "reason"),
		boxes: map[netip.AddrPort]chan []byte{},
	}
	s.open(t.TempDir(), tokens)
	return s
}

func (s *site) open(dir string, tokens []uplink.TokenOrder) {
	st, err := store.Open(context.Background(), dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	seal, err := uplink.NewOpenKey()
	if err != nil {
		s.t.Fatal(err)
	}
	err = st.Do(context.Background(), func(tx *store.Tx) error {
		if err := tx.SaveKeys(store.Keys{Noise: s.key.Private, Sign: make([]byte, 64), Seal: seal}); err != nil {
			return err
		}
		e := store.Enrolment{
			URL: "https://assim.example", TenantKey: seal.SealKey(), Tenant: tenancy.NewID[tenancy.TenantID](), Site: s.id,
			Relay: tenancy.NewID[tenancy.RelayID](), SiteKey: make([]byte, 32), SiteName: "berlin", Certificate: []byte{1},
		}
		if err := tx.Enrol(e, time.Now().UnixMilli()); err != nil {
			return err
		}
		if _, err := tx.Resync(1, time.Now().UnixMilli()); err != nil {
			return err
		}
		_, err := tx.ApplyOrders(uplink.Orders{Revision: 1, Tokens: tokens}, time.Now().UnixMilli())
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.store = st
	s.startTable()
}

// startTable starts the relay's program, stopTable ends it; the store stays.
func (s *site) startTable() {
	desk := enrol.NewDesk(s.id, s.store, slog.New(slog.DiscardHandler), counter("refused", "reason"))
	table, err := sessions.New(context.Background(), sessions.Config{
		Store: s.store, Desk: desk, Send: s, Log: slog.New(slog.DiscardHandler), Dropped: s.dropped,
		Messages: counter("messages", "type", "result"), Random: func() float64 { return 0.5 },
		Observers: []sessions.Observer{s}, Wanted: func(tenancy.HostID) bool { s.mu.Lock(); defer s.mu.Unlock(); return s.wanted },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.table = table
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); table.Run(ctx) }()
	s.stopTable = sync.OnceFunc(func() { cancel(); <-ended })
}

func (s *site) stop() {
	s.stopTable()
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
}

// drops is how many datagrams were dropped for a reason.
func (s *site) drops(reason string) float64 {
	var m dto.Metric
	if err := s.dropped.WithLabelValues(reason).Write(&m); err != nil {
		s.t.Fatal(err)
	}
	return m.Counter.GetValue()
}

// Send is the way from the relay to the probes.
func (s *site) Send(datagram []byte, to netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loss != nil && s.loss() {
		return
	}
	if box := s.boxes[to]; box != nil {
		select {
		case box <- append([]byte(nil), datagram...):
		default:
		}
	}
}

// toRelay is the way from a probe to the relay.
func (s *site) toRelay(datagram []byte, from netip.AddrPort) {
	s.mu.Lock()
	lost := s.loss != nil && s.loss()
	s.mu.Unlock()
	if !lost {
		s.table.Deliver(append([]byte(nil), datagram...), from, func([]byte) {})
	}
}

// shake does what the gate does with a Handshake1.
func (s *site) shake(datagram []byte, from netip.AddrPort) {
	var index [4]byte
	rand.Read(index[:])
	pending, reply, key, _, err := handshake.Respond(s.key, binary.BigEndian.Uint32(index[:]), datagram, nil, rand.Reader)
	if err != nil {
		s.t.Errorf("answering a handshake: %v", err)
		return
	}
	s.table.Arrive(sessions.Arrival{Session: pending, Key: key, Reply: reply, From: from})
}

func (s *site) save(v uplink.VerdictBody) {
	s.t.Helper()
	now := time.Now().UnixMilli()
	if err := s.store.Do(context.Background(), func(tx *store.Tx) error { return tx.SaveVerdict(v, now) }); err != nil {
		s.t.Fatal(err)
	}
}

// records reads the outbox.
func (s *site) records() []uplink.Change {
	batch, err := s.store.Records(context.Background(), 1<<20, 1<<30)
	if err != nil {
		s.t.Fatal(err)
	}
	var changes []uplink.Change
	for _, record := range batch.Encoded {
		change, err := uplink.DecodeRecord(record)
		if err != nil {
			s.t.Fatal(err)
		}
		changes = append(changes, change)
	}
	return changes
}

// states lists what the records say of hosts' states.
func (s *site) states() (states []uplink.State) {
	for _, c := range s.records() {
		if c.Type == uplink.HostState {
			states = append(states, c.HostState.State)
		}
	}
	return states
}

// probe is the other end: a key, an address, and a link once connected. Its
// goroutine is the test's.
type probe struct {
	site    *site
	key     handshake.Keypair
	address netip.AddrPort
	box     chan []byte
	link    *link.Link
}

func (s *site) probe(n byte) *probe {
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &probe{site: s, key: key, address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 1984), box: make(chan []byte, 1024)}
	s.mu.Lock()
	s.boxes[p.address] = p.box
	s.mu.Unlock()
	return p
}

// connect makes a session; nothing is sent under it yet.
func (p *probe) connect() {
	p.site.t.Helper()
	initiator, hello, err := handshake.Initiate(p.key, p.site.key.Public, 7, nil, rand.Reader)
	if err != nil {
		p.site.t.Fatal(err)
	}
	p.site.shake(hello, p.address)
	s, _, err := initiator.Finish(<-p.box)
	if err != nil {
		p.site.t.Fatal(err)
	}
	p.link = link.New(s, time.Now(), func() float64 { return 0.5 })
}

// run moves datagrams until nothing happens for d.
func (p *probe) run(d time.Duration) (events []link.Event) {
	end := time.Now().Add(d)
	for {
		datagrams, wake := p.link.Poll(time.Now())
		for _, datagram := range datagrams {
			p.site.toRelay(datagram, p.address)
		}
		until := end
		if !wake.IsZero() && wake.Before(end) {
			until = wake
		}
		select {
		case datagram := <-p.box:
			got, err := p.link.Receive(time.Now(), datagram)
			if err == nil {
				events = append(events, got...)
			}
		case <-time.After(time.Until(until)):
			if !time.Now().Before(end) {
				return events
			}
		}
	}
}

// say sends a message and returns what came of it and what the relay said.
func (p *probe) say(m wire.Message) (reason wire.Reason, answers []wire.Message) {
	p.site.t.Helper()
	id, err := p.link.Send(time.Now(), m)
	if err != nil {
		p.site.t.Fatal(err)
	}
	settled := false
	for _, event := range p.run(5 * time.Second) {
		switch e := event.(type) {
		case link.Delivered:
			settled = settled || e.ID == id
		case link.Refused:
			if e.ID == id {
				reason, settled = e.Reason, true
			}
		case link.Received:
			p.link.Done(e.ID)
			answers = append(answers, e.Message)
		}
	}
	if !settled {
		p.site.t.Fatalf("nothing came of %T", m)
	}
	p.run(50 * time.Millisecond) // our own acknowledgements
	return reason, answers
}

func (p *probe) enrol() (wire.Reason, []wire.Message) {
	p.site.t.Helper()
	return p.say(&wire.Enrol{TokenID: tokenID, Secret: secret, HostName: "db1", Time: time.Now().UnixMilli()})
}

func (p *probe) hello() (wire.Reason, []wire.Message) {
	p.site.t.Helper()
	return p.say(&wire.Hello{AgentVersion: "1", HostName: "db1", OS: "linux", Arch: "amd64", Time: time.Now().UnixMilli()})
}

func goodToken() uplink.TokenOrder {
	hash := tenancy.HashSecret(secret)
	return uplink.TokenOrder{ID: tokenID, Hash: hash[:], Allowance: -1}
}

// bubble runs a test on a site with one good token, and a probe that is
// enrolled and has said Hello.
func bubble(t *testing.T, test func(*site, *probe)) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, goodToken())
		defer s.stop()
		p := s.probe(1)
		p.connect()
		if reason, _ := p.enrol(); reason != wire.Accepted {
			t.Fatalf("enrolment refused: %v", reason)
		}
		if reason, _ := p.hello(); reason != wire.Accepted {
			t.Fatalf("hello refused: %v", reason)
		}
		test(s, p)
	})
}
