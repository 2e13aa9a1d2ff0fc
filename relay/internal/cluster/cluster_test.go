package cluster

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

const now = int64(1_790_000_000_000)

// quick are the times of tests: short, but for what a busy machine delays.
var quick = Times{
	Lost: 2 * time.Second, Certain: 100 * time.Millisecond, Copy: 500 * time.Millisecond, Settle: 20 * time.Second,
	Greeted: 10 * time.Millisecond, Redirect: time.Hour, Say: time.Hour,
}

// site is relays with real stores on loopback.
type site struct {
	t      testing.TB
	secret []byte
	relays []*relay
}

// relay is one of them; it is also its own table and service.
type relay struct {
	member
	*Cluster
	t       testing.TB
	address netip.AddrPort
	store   *store.Store
	stop    func()

	mu        sync.Mutex
	elsewhere []store.Host
	taken     []store.Host
	told      map[tenancy.HostID]*wire.Redirect
	forwarded []store.Records
	origin    tenancy.RelayID
}

func (r *relay) Elsewhere(hosts []store.Host) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.elsewhere = append(r.elsewhere, hosts...)
}

func (r *relay) TakeOver(_ context.Context, hosts []store.Host) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = append(r.taken, hosts...)
}

func (r *relay) Tell(id tenancy.HostID, m wire.Message, _ time.Duration, done func(error)) {
	r.mu.Lock()
	r.told[id] = m.(*wire.Redirect)
	r.mu.Unlock()
	done(nil)
}

func (r *relay) Forward(_ context.Context, origin tenancy.RelayID, b store.Records) (uplink.Ack, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.origin, r.forwarded = origin, append(r.forwarded, b)
	return uplink.Ack{Epoch: b.Epoch, Position: b.Last, Chain: b.Chain[:]}, nil
}

func newSite(t testing.TB, relays int) *site {
	t.Helper()
	s := &site{t: t, secret: make([]byte, 32)}
	for range relays {
		s.relays = append(s.relays, s.newRelay())
	}
	slices.SortFunc(s.relays, func(a, b *relay) int { return slices.Compare(a.id.UUID[:], b.id.UUID[:]) })
	for _, r := range s.relays {
		r.run(s.orders(), s.secret)
	}
	s.eventually("all relays meet", func() bool {
		return !slices.ContainsFunc(s.relays, func(r *relay) bool {
			report := r.report()
			return report.Degraded || slices.ContainsFunc(report.Members, func(m Member) bool { return m.State != Self && m.State != Alive })
		})
	})
	return s
}

func (s *site) newRelay() *relay {
	s.t.Helper()
	opened, err := store.Open(context.Background(), s.t.TempDir(), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { opened.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	defer listener.Close()
	r := &relay{
		member: newMember(s.t), t: s.t, store: opened, address: netip.MustParseAddrPort(listener.Addr().String()), told: map[tenancy.HostID]*wire.Redirect{},
	}
	seal, err := uplink.NewOpenKey()
	if err != nil {
		s.t.Fatal(err)
	}
	r.do(func(tx *store.Tx) error {
		if err := tx.SaveKeys(store.Keys{Sign: r.sign, Seal: seal}); err != nil {
			return err
		}
		err := tx.Enrol(store.Enrolment{TenantKey: seal.SealKey(), Relay: r.id, SiteKey: make([]byte, 32), Certificate: []byte{1}}, now)
		if err != nil {
			return err
		}
		_, err = tx.Resync(100, now)
		return err
	})
	return r
}

func (s *site) orders() (orders []uplink.RelayOrder) {
	for _, r := range s.relays {
		certificate := wire.Certificate{Relay: r.id.UUID, NotAfter: time.Now().Add(time.Hour).Unix()}
		orders = append(orders, uplink.RelayOrder{
			ID: r.id, Name: r.id.String()[:4], SignKey: r.sign.Public().(ed25519.PublicKey), Cluster: r.address.String(),
			Serves: "127.0.0.1:1984", Certificate: certificate.Append(nil),
		})
	}
	return orders
}

func (r *relay) run(orders []uplink.RelayOrder, secret []byte) {
	r.t.Helper()
	c, err := New(context.Background(), Config{
		Self: r.id, Key: r.sign, Listen: r.address.String(), Address: r.address, Store: r.store, Log: slog.New(slog.DiscardHandler), Times: quick,
	}, nil, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Cluster = c
	c.Adopt(orders, secret, 0)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Run(ctx, r, r); err != nil {
			r.t.Error(err)
		}
	}()
	r.stop = sync.OnceFunc(func() { cancel(); <-ended })
	r.t.Cleanup(r.stop)
}

func (r *relay) do(fn func(*store.Tx) error) {
	r.t.Helper()
	if err := r.store.Do(context.Background(), fn); err != nil {
		r.t.Fatal(err)
	}
}

func (r *relay) report() Report {
	r.t.Helper()
	report, err := r.Cluster.Report(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// say submits a record as sessions do, and returns what tells that it is durable.
func (r *relay) say() <-chan error {
	told := make(chan error, 1)
	r.store.Submit(func(tx *store.Tx) error {
		return tx.Append(uplink.Change{Type: uplink.RelayState, SeenAt: now, Relay: &uplink.RelayBody{Event: "mark"}})
	}, func(err error) { told <- err })
	return told
}

// enrol adds a host, as the sessions do.
func (r *relay) enrol(name string) tenancy.HostID {
	h := store.Host{
		ID: tenancy.NewID[tenancy.HostID](), ProbeKey: sha256.Sum256([]byte(name)), Name: name, State: uplink.Up, StateAt: now, EnrolledAt: now, Address: "127.0.0.1:9",
	}
	r.do(func(tx *store.Tx) error { return tx.AddHost(h) })
	r.Observe(sessions.Greeted{Host: h})
	return h.ID
}

func (s *site) eventually(what string, holds func() bool) {
	s.t.Helper()
	late, look := time.After(time.Minute), time.NewTicker(10*time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-late:
			for _, r := range s.relays {
				s.t.Logf("%s: %+v", r.id, r.report())
			}
			s.t.Fatalf("it did not come to that: %s", what)
		}
	}
}

// held is the copy that r has of another's stream.
func (r *relay) held(of *relay) (store.Origin, store.Records) {
	r.t.Helper()
	origins, err := r.store.Origins(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, o := range origins {
		if o.Relay == of.id {
			records, err := r.store.Kept(context.Background(), o, 500, 1<<20)
			if err != nil { // some were forgotten between the two looks
				return r.held(of)
			}
			return o, records
		}
	}
	return store.Origin{}, store.Records{}
}

func TestWhatIsToldIsOnTwoDisks(t *testing.T) {
	s := newSite(t, 2)
	a, b := s.relays[0], s.relays[1]
	for range 50 {
		told := a.say()
		if err := <-told; err != nil {
			t.Fatal(err)
		}
		if o, _ := b.held(a); o.Last != a.store.Head().Last || o.Chain != a.store.Head().Chain {
			t.Fatalf("told at %d, the other has %d", a.store.Head().Last, o.Last)
		}
	}
	// What the service holds, the copy forgets.
	a.do(func(tx *store.Tx) error { return tx.Acknowledge(a.store.Head().Last - 5) })
	s.eventually("the copy forgets", func() bool { _, r := b.held(a); return len(r.Encoded) == 5 })
	// A new epoch, as after a restore: all is copied anew.
	a.do(func(tx *store.Tx) error { return tx.Restart(a.id, now) })
	s.eventually("the new epoch is copied", func() bool {
		o, _ := b.held(a)
		return o.Epoch == a.store.Head().Epoch && o.Last == a.store.Head().Last
	})
}

func TestASlowBuddyIsNotWaitedFor(t *testing.T) {
	s := newSite(t, 2)
	a, b := s.relays[0], s.relays[1]
	stuck, free := make(chan struct{}), make(chan struct{})
	go b.store.Do(context.Background(), func(*store.Tx) error { close(stuck); <-free; return nil })
	<-stuck
	if err := <-a.say(); err != nil {
		t.Fatal(err)
	}
	if !a.report().Degraded {
		t.Error("told without a copy, and not degraded")
	}
	close(free)
	s.eventually("two disks again", func() bool { return !a.report().Degraded })
	if err := <-a.say(); err != nil {
		t.Fatal(err)
	}
	if o, _ := b.held(a); o.Last != a.store.Head().Last {
		t.Errorf("the copy ends at %d of %d", o.Last, a.store.Head().Last)
	}
}

func TestTheOthersStandIn(t *testing.T) {
	s := newSite(t, 3)
	gone := s.relays[0]
	ids := map[tenancy.HostID]bool{}
	for i := range 40 {
		ids[gone.enrol(fmt.Sprintf("host %d", i))] = true
	}
	if err := <-gone.say(); err != nil {
		t.Fatal(err)
	}
	others := s.relays[1:]
	for _, r := range others {
		s.eventually("its hosts are known", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.elsewhere) == len(ids)
		})
	}
	last := gone.store.Head().Last
	gone.stop() // it says that it goes
	s.eventually("its hosts are taken, once each", func() bool {
		n := 0
		for _, r := range others {
			r.mu.Lock()
			n += len(r.taken)
			r.mu.Unlock()
		}
		return n == len(ids)
	})
	for _, r := range others {
		if len(r.taken) == 0 {
			t.Error("one of two relays has taken all")
		}
		for _, h := range r.taken {
			if !ids[h.ID] {
				t.Errorf("%s was taken twice, or never was there", h.Name)
			}
			delete(ids, h.ID)
		}
	}
	s.eventually("its log is at the service", func() bool {
		for _, r := range others {
			r.mu.Lock()
			sent := slices.Clone(r.forwarded)
			origin := r.origin
			r.mu.Unlock()
			if len(sent) > 0 && origin == gone.id && sent[len(sent)-1].Last == last {
				return true
			}
		}
		return false
	})
	// It comes back, and hears which hosts it has no more.
	gone.mu.Lock()
	gone.elsewhere = nil
	gone.mu.Unlock()
	gone.run(s.orders(), s.secret)
	gone.Settled(context.Background())
	s.eventually("it knows that its hosts are elsewhere", func() bool {
		hosts, err := gone.store.Hosts(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(hosts, func(h store.Host) bool { return h.ServedBy.IsZero() })
	})
	// And, being there for good, is sent those that belong to it.
	s.eventually("probes are sent home", func() bool {
		n := 0
		for _, r := range others {
			r.mu.Lock()
			n += len(r.told)
			r.mu.Unlock()
		}
		return n > 0
	})
}

func TestARevokedRelaysHostsAreTaken(t *testing.T) {
	s := newSite(t, 3)
	revoked, others := s.relays[0], s.relays[1:]
	const hosts = 20
	for i := range hosts {
		revoked.enrol(fmt.Sprintf("host %d", i))
	}
	if err := <-revoked.say(); err != nil {
		t.Fatal(err)
	}
	for _, r := range others {
		s.eventually("its hosts are known", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.elsewhere) == hosts
		})
	}
	left := slices.DeleteFunc(s.orders(), func(o uplink.RelayOrder) bool { return o.ID == revoked.id })
	for _, r := range others {
		r.Adopt(left, nil, 0)
	}
	taken := func() (n int) {
		for _, r := range others {
			r.mu.Lock()
			n += len(r.taken)
			r.mu.Unlock()
		}
		return n
	}
	s.eventually("its hosts are taken", func() bool { return taken() == hosts })
	if report := others[0].report(); len(report.Members) != 2 {
		t.Errorf("members %+v", report.Members)
	}
	// It does not get in any more, whatever it believes.
	if _, known := others[0].who(revoked.sign.Public().(ed25519.PublicKey)); known {
		t.Error("its key is still good")
	}
}

func TestALoneRelayListensToNobody(t *testing.T) {
	s := &site{t: t, secret: make([]byte, 32)}
	r := s.newRelay()
	s.relays = []*relay{r}
	r.run(s.orders(), s.secret)
	r.Settled(context.Background())
	if err := <-r.say(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", r.address.String()); err == nil {
		conn.Close()
		t.Error("it listens")
	}
	if report := r.report(); report.Degraded || len(report.Members) != 1 {
		t.Errorf("%+v", report)
	}
}
