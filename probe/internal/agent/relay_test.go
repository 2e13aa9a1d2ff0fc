package agent_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net/netip"
	"sync"
	"testing"
	"time"

	"assimilation/probe/internal/ledger"
	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

// testSite is what outlives a relay: its keys, its admitted probes, its facts.
type testSite struct {
	mu      sync.Mutex
	key     ed25519.PrivateKey
	relay   handshake.Keypair
	token   tenancy.Token
	uses    int
	hosts   map[[32]byte]tenancy.HostID
	facts   map[ledger.Key]wire.Digest
	bodies  map[ledger.Key]string
	problem map[ledger.Key]wire.Problem
	refuse  func(wire.Message) wire.Reason // Accepted: take it
	guard   *handshake.Guard               // nil: not under load
	call    bool                           // a new relay calls the probes that it knows
	ring    *wire.Ring                     // sent after each Configure; nil: none
	// redirect is sent after each Configure; nil: none
	redirect *wire.Redirect
	revoke   []*wire.Revoke   // sent after each Configure
	keys     []*wire.SiteKeys // sent after each Configure
	retired  [8]byte          // hint at a key that was the site's; zero: there was none
	term     uint64           // told by Configure; 0: 1

	log       []string // names of the messages taken, in order
	announces []wire.Announce
	goodbyes  int
	goodbye   wire.Goodbye
	hello     wire.Hello
	adopted   int // rings and redirects that probes have acknowledged
	refused   int // the same, refused
	reports   []wire.Report
	sessions  int
	cookies   int // given
	news      chan struct{}
}

func newSite(t *testing.T) *testSite {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &testSite{
		key: private, relay: key,
		token:   tenancy.NewToken(tenancy.EnrolToken, [32]byte(private.Public().(ed25519.PublicKey)), ""),
		hosts:   map[[32]byte]tenancy.HostID{},
		facts:   map[ledger.Key]wire.Digest{},
		bodies:  map[ledger.Key]string{},
		problem: map[ledger.Key]wire.Problem{},
		news:    make(chan struct{}, 1),
	}
}

func (s *testSite) certificate() wire.Certificate {
	c := wire.Certificate{Key: s.relay.Public, NotBefore: time.Now().Add(-time.Hour).Unix(), NotAfter: time.Now().Add(1000 * time.Hour).Unix()}
	copy(c.Relay[:], s.relay.Public[:16])
	return c.Sign(s.key)
}

// until waits for a state of the site.
func (s *testSite) until(t *testing.T, what string, within time.Duration, met func() bool) {
	t.Helper()
	limit := time.NewTimer(within)
	defer limit.Stop()
	for {
		s.mu.Lock()
		ok := met()
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-s.news:
		case <-limit.C:
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Fatalf("%s: not within %v; relay took %v", what, within, s.log)
		}
	}
}

// look lets a test read or change the site while relays run.
func (s *testSite) look(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *testSite) count(name string) (n int) {
	for _, l := range s.log {
		if l == name {
			n++
		}
	}
	return n
}

// testRelay is one run of a relay: its sessions die with it.
type testRelay struct {
	site    *testSite
	socket  *socket
	pending map[uint32]*peer
	live    map[uint32]*peer
	next    uint32
	calls   map[uint32]*handshake.Initiator
}

type peer struct {
	link    *link.Link
	key     [32]byte
	address netip.AddrPort
	wake    time.Time
	orders  map[uint32]bool // rings and redirects
}

// order sends a ring or a redirect.
func (p *peer) order(m wire.Message) {
	id, err := p.link.Send(time.Now(), m)
	if err != nil {
		panic(err)
	}
	if p.orders == nil {
		p.orders = map[uint32]bool{}
	}
	p.orders[id] = true
}

// start runs a relay at an address until the returned function is called.
func (s *testSite) start(t *testing.T, n *network, address string) (stop func()) {
	t.Helper()
	r := &testRelay{site: s, socket: n.open(address), pending: map[uint32]*peer{}, live: map[uint32]*peer{}, next: 7, calls: map[uint32]*handshake.Initiator{}}
	n.join(r.socket)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx)
	}()
	return func() { cancel(); <-done; r.socket.Close() }
}

// callAll begins a handshake with every host of the site.
func (r *testRelay) callAll() {
	r.site.mu.Lock()
	defer r.site.mu.Unlock()
	for key := range r.site.hosts {
		r.next++
		i, first, err := handshake.Initiate(r.site.relay, key, r.next, r.site.certificate().Append(nil), rand.Reader)
		if err != nil {
			panic(err)
		}
		r.calls[r.next] = i
		r.socket.Send(netip.MustParseAddrPort("10.0.0.9:1984"), first)
	}
}

func (r *testRelay) run(ctx context.Context) {
	if r.site.call {
		r.callAll()
	}
	for {
		wake := time.Now().Add(time.Hour)
		for _, p := range r.live {
			if !p.wake.IsZero() && p.wake.Before(wake) {
				wake = p.wake
			}
		}
		timer := time.NewTimer(time.Until(wake))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case d := <-r.socket.Received():
			r.receive(d.From, d.Data)
		case <-timer.C:
		}
		timer.Stop()
		for _, p := range r.live {
			var datagrams [][]byte
			datagrams, p.wake = p.link.Poll(time.Now())
			for _, d := range datagrams {
				r.socket.Send(p.address, d)
			}
		}
		select {
		case r.site.news <- struct{}{}:
		default:
		}
	}
}

func (r *testRelay) receive(from netip.AddrPort, datagram []byte) {
	r.site.mu.Lock()
	defer r.site.mu.Unlock()
	t, err := wire.PacketType(datagram)
	if err != nil {
		return
	}
	switch t {
	case wire.PacketAnnounce:
		a, err := wire.ParseAnnounce(datagram)
		if err != nil {
			return
		}
		r.site.announces = append(r.site.announces, a)
		reply := wire.AnnounceReply{Nonce: a.Nonce, Certificate: r.site.certificate()}
		if a.SiteHint != [8]byte{} && a.SiteHint == r.site.retired {
			reply.Flags = wire.HintRetired
		}
		r.socket.Send(from, reply.Append(nil))
	case wire.PacketHandshake2:
		index, err := wire.ReceiverIndex(datagram)
		if i := r.calls[index]; err == nil && i != nil {
			s, _, err := i.Finish(datagram)
			if err != nil {
				return
			}
			for key := range r.site.hosts { // there is one
				r.live[index] = &peer{link: link.New(s, time.Now(), func() float64 { return 0.5 }), key: key, address: from}
			}
			r.live[index].link.Echo(time.Now())
			r.site.sessions++
		}
	case wire.PacketHandshake1:
		if g := r.site.guard; g != nil && !g.CheckMAC2(time.Now(), datagram, from) {
			if reply, err := g.Reply(time.Now(), datagram, from); err == nil {
				r.site.cookies++
				r.socket.Send(from, reply)
			}
			return
		}
		r.next++
		s, reply, key, _, err := handshake.Respond(r.site.relay, r.next, datagram, nil, rand.Reader)
		if err != nil {
			return
		}
		r.pending[r.next] = &peer{link: link.New(s, time.Now(), func() float64 { return 0.5 }), key: key, address: from}
		r.socket.Send(from, reply)
	case wire.PacketTransport:
		index, err := wire.ReceiverIndex(datagram)
		if err != nil {
			return
		}
		p := r.live[index]
		if p == nil {
			p = r.pending[index]
		}
		if p == nil {
			return
		}
		events, err := p.link.Receive(time.Now(), datagram)
		if err != nil {
			return
		}
		if r.live[index] == nil {
			r.live[index] = p
			r.site.sessions++
		}
		for _, e := range events {
			switch m := e.(type) {
			case link.Received:
				r.take(p, m)
			case link.Delivered:
				if p.orders[m.ID] {
					r.site.adopted++
				}
			case link.Refused:
				if p.orders[m.ID] {
					r.site.refused++
				}
			}
		}
	}
}

func (r *testRelay) take(p *peer, e link.Received) {
	s := r.site
	if s.refuse != nil {
		if reason := s.refuse(e.Message); reason != wire.Accepted {
			p.link.Refuse(e.ID, reason)
			return
		}
	}
	now := time.Now()
	host, known := s.hosts[p.key]
	switch m := e.Message.(type) {
	case *wire.Enrol:
		s.log = append(s.log, "enrol")
		if m.TokenID != s.token.ID || [20]byte(m.Secret) != s.token.Secret {
			p.link.Refuse(e.ID, wire.UnknownToken)
			return
		}
		if !known {
			host = tenancy.NewID[tenancy.HostID]()
			s.hosts[p.key] = host
			s.uses++
		}
		p.link.Done(e.ID)
		p.link.Send(now, &wire.Enrolled{Host: host.UUID[:]})
		return
	case *wire.Hello:
		s.log = append(s.log, "hello")
		if !known {
			p.link.Refuse(e.ID, wire.NotEnrolled)
			return
		}
		s.hello = *m
		p.link.Send(now, &wire.Configure{Host: host.UUID[:], Term: max(1, s.term), EchoInterval: 30_000, Time: now.UnixMilli()})
		if s.ring != nil {
			p.order(s.ring)
		}
		for _, m := range s.keys {
			p.order(m)
		}
		for _, m := range s.revoke {
			p.order(m)
		}
		if s.redirect != nil {
			p.order(s.redirect)
		}
	case *wire.Digests:
		s.log = append(s.log, "digests")
		r.digests(p, m)
	case *wire.FactPut:
		s.log = append(s.log, "put "+m.Kind+"/"+m.Instance)
		key := ledger.Key{Kind: m.Kind, Instance: m.Instance}
		s.facts[key], s.bodies[key] = m.Digest, string(m.Body)
	case *wire.FactGone:
		s.log = append(s.log, "gone "+m.Kind+"/"+m.Instance)
		delete(s.facts, ledger.Key{Kind: m.Kind, Instance: m.Instance})
	case *wire.Problem:
		s.log = append(s.log, "problem")
		key := ledger.Key{Kind: m.Kind, Instance: m.Instance}
		if delete(s.problem, key); m.Detail != "" {
			s.problem[key] = *m
		}
	case *wire.Report:
		s.reports = append(s.reports, *m)
	case *wire.Goodbye:
		s.goodbyes, s.goodbye = s.goodbyes+1, *m
	}
	p.link.Done(e.ID)
}

// digests forgets what the list lacks, and asks for what the relay lacks.
func (r *testRelay) digests(p *peer, m *wire.Digests) {
	listed := map[ledger.Key]bool{}
	need := &wire.Need{}
	for _, d := range m.Facts {
		key := ledger.Key{Kind: d.Kind, Instance: d.Instance}
		listed[key] = true
		if held, ok := r.site.facts[key]; !ok || string(held.Hash) != string(d.Hash) {
			need.Facts = append(need.Facts, d)
		}
	}
	for key := range r.site.facts {
		for _, kind := range m.Kinds {
			if key.Kind == kind && !listed[key] {
				delete(r.site.facts, key)
			}
		}
	}
	p.link.Send(time.Now(), need)
}
