package watch

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/store"
	"assimilation/relay/internal/topology"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// field is a site in memory: a watch over a real store, and probes that keep the
// protocol's rules. It lives in a synctest bubble.
type field struct {
	t     *testing.T
	store *store.Store
	watch *Watch
	stop  func()

	mu       sync.Mutex
	probes   map[tenancy.HostID]*probe
	believed map[tenancy.HostID]uplink.State
	told     []Conclusion
	linkDown bool
	echoes   int         // that the relay asked for
	lose     func() bool // a datagram
}

// probe is one host.
type probe struct {
	field   *field
	host    store.Host
	address netip.AddrPort
	boot    uint64
	old     bool // knows no rings

	off    bool // the host has no power or no cable
	killed bool // the program is gone
	frozen bool

	edges    []*probeEdge
	revision uint64
	orders   int
	liar     bool // says that all its neighbours are silent
}

type probeEdge struct {
	wire.Edge
	to            netip.AddrPort // the zero: the relay
	sent, highest uint64
	heard         time.Time
	state         wire.EdgeState
}

var relayAddress = netip.MustParseAddrPort("10.9.9.9:1984")

// inField runs a test with n hosts behind each of some switches, which all have
// adopted their rings.
func inField(t *testing.T, switches, n int, test func(*field, []*probe)) {
	synctest.Test(t, func(t *testing.T) {
		runtime.GC() // pooled decompressors of another bubble are of no use here
		runtime.GC()
		f := &field{t: t, probes: map[tenancy.HostID]*probe{}, believed: map[tenancy.HostID]uplink.State{}}
		f.openStore(t.TempDir())
		var all []*probe
		for s := range switches {
			for range n {
				all = append(all, f.add(byte(s+1), byte(len(all)+1)))
			}
		}
		f.start()
		defer func() {
			f.stop()
			time.Sleep(2 * askLimit) // what is asked is over
			if err := f.store.Close(); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(10 * time.Second)
		f.quiet("before anything happens")
		test(f, all)
	})
}

func (f *field) openStore(dir string) {
	st, err := store.Open(context.Background(), dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.t.Fatal(err)
	}
	seal, err := uplink.NewOpenKey()
	if err != nil {
		f.t.Fatal(err)
	}
	f.store = st
	f.do(func(tx *store.Tx) error {
		if err := tx.SaveKeys(store.Keys{Sign: make([]byte, 64), Seal: seal}); err != nil {
			return err
		}
		e := store.Enrolment{
			URL: "https://assim.example", TenantKey: seal.SealKey(), Tenant: tenancy.NewID[tenancy.TenantID](), Site: tenancy.NewID[tenancy.SiteID](),
			Relay: tenancy.NewID[tenancy.RelayID](), SiteKey: make([]byte, 32), SiteName: "berlin", Certificate: []byte{1},
		}
		if err := tx.Enrol(e, time.Now().UnixMilli()); err != nil {
			return err
		}
		_, err := tx.Resync(1, time.Now().UnixMilli())
		return err
	})
}

func (f *field) do(fn func(*store.Tx) error) {
	f.t.Helper()
	if err := f.store.Do(context.Background(), fn); err != nil {
		f.t.Fatal(err)
	}
}

// add makes a host that is enrolled.
func (f *field) add(sw, n byte) *probe {
	h := store.Host{
		ID: tenancy.NewID[tenancy.HostID](), Name: "host" + string('a'+rune(n-1)), State: uplink.Up, StateAt: time.Now().UnixMilli(),
		EnrolledAt: time.Now().UnixMilli(), Token: "abcdefghijkl",
	}
	binary.BigEndian.PutUint32(h.ProbeKey[:], uint32(n)+1)
	f.do(func(tx *store.Tx) error { return tx.AddHost(h) })
	p := &probe{field: f, host: h, address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, sw, n}), 1984), boot: 1}
	f.probes[h.ID] = p
	return p
}

// start starts the relay's program, and has every host greet it.
func (f *field) start() {
	id, _, err := f.store.Identity(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	w, err := New(context.Background(), Config{
		Self: id.Enrolment.Relay, Store: f.store, Send: f, Dial: f, Links: f, Log: slog.New(slog.DiscardHandler), Secret: id.DomainSecret(),
		Metrics: NewMetrics(prometheus.NewRegistry()), Notify: func(c Conclusion) { f.mu.Lock(); defer f.mu.Unlock(); f.told = append(f.told, c) },
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.watch = w
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx, f); err != nil {
			f.t.Error(err)
		}
	})
	for _, p := range f.probes {
		running.Go(func() { p.run(ctx) })
		w.Observe(sessions.Known{Host: p.host})
		w.Place(p.place())
		if p.answers() {
			p.greet()
		}
	}
	f.stop = func() { cancel(); running.Wait(); synctest.Wait() }
}

func (p *probe) place() topology.Place {
	sw := p.address.Addr().As4()[2]
	return topology.Place{Member: ring.Member{ID: ring.ID(p.host.ID.UUID), Domain: "switch" + string('0'+rune(sw))}, Switch: true}
}

func (p *probe) greet() {
	p.field.watch.Observe(sessions.Greeted{Host: p.host, Address: p.address, Boot: p.boot, Listen: 1984})
}

// set changes a host's fate.
func (f *field) set(p *probe, change func(*probe)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(p)
}

// answers reports whether the program runs and can be reached.
func (p *probe) answers() bool { return !p.off && !p.killed && !p.frozen }

func (f *field) probe(id tenancy.HostID) *probe { return f.probes[id] }

// Tell, Echo and Believe are the sessions' table.

func (f *field) Tell(id tenancy.HostID, m wire.Message, limit time.Duration, done func(error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.probe(id)
	switch {
	case !p.answers():
		time.AfterFunc(limit, func() { done(sessions.ErrUnheard) })
	case p.old:
		done(&sessions.Declined{Reason: wire.Unsupported})
	default:
		p.adopt(m.(*wire.Ring))
		done(nil)
	}
}

func (f *field) Echo(id tenancy.HostID, limit time.Duration, done func(bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.echoes++
	if f.probe(id).answers() && !f.linkDown {
		done(true)
		return
	}
	time.AfterFunc(limit, func() { done(false) })
}

func (f *field) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.echoes
}

// orders is how many rings the probes were told.
func (f *field) orders() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.probes {
		n += p.orders
	}
	return n
}

func (f *field) Believe(hosts []tenancy.HostID, state uplink.State, _ time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range hosts {
		f.believed[id] = state
	}
}

// DialContext is a kernel's answer.
func (f *field) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	f.mu.Lock()
	var found *probe
	for _, p := range f.probes {
		if p.address.Addr() == netip.MustParseAddrPort(address).Addr() {
			found = p
		}
	}
	reachable := found != nil && !found.off && !f.linkDown
	refuses := reachable && found.killed
	f.mu.Unlock()
	switch {
	case refuses:
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	case reachable:
		here, _ := net.Pipe()
		return here, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// Up is the relay's own link.
func (f *field) Up(netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.linkDown
}

// Send is the way of datagrams from the relay.
func (f *field) Send(datagram []byte, to netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pass(datagram, relayAddress, to)
}

// pass carries a datagram; f.mu is held.
func (f *field) pass(datagram []byte, from, to netip.AddrPort) {
	if f.lose != nil && f.lose() {
		return
	}
	atRelay := to == relayAddress || from == relayAddress
	if atRelay && f.linkDown {
		return
	}
	if to == relayAddress {
		f.watch.Beat(datagram, from)
		return
	}
	for _, p := range f.probes {
		if p.address == to && p.answers() {
			p.take(slices.Clone(datagram))
		}
	}
}

func (p *probe) adopt(r *wire.Ring) {
	p.orders++
	if r.Revision <= p.revision {
		return
	}
	p.revision = r.Revision
	old := p.edges
	p.edges = nil
	for _, e := range r.Edges {
		fresh := &probeEdge{Edge: e, heard: time.Now(), state: wire.EdgeNew}
		for _, o := range old {
			if o.ID == e.ID {
				fresh = o
				fresh.Edge = e
			}
		}
		fresh.to = relayAddress
		if a, ok := wire.ParseAddress(e.Address); ok {
			fresh.to = a
		}
		p.edges = append(p.edges, fresh)
	}
}

func (p *probe) take(datagram []byte) {
	id, err := wire.HeartbeatEdge(datagram)
	if err != nil {
		return
	}
	for _, e := range p.edges {
		if e.ID != id {
			continue
		}
		h, err := wire.OpenHeartbeat(datagram, (*[32]byte)(e.Receive))
		if err != nil || h.Counter <= e.highest {
			return
		}
		e.highest, e.heard = h.Counter, time.Now()
	}
}

// run beats, and reports when a neighbour's state changes.
func (p *probe) run(ctx context.Context) {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		p.field.mu.Lock()
		if p.answers() && !p.field.linkDown {
			p.step(n%4 == 0)
		} else {
			for _, e := range p.edges {
				e.heard = time.Now() // it was not there to hear
			}
		}
		p.field.mu.Unlock()
	}
}

func (p *probe) step(beat bool) {
	changed := false
	for _, e := range p.edges {
		if beat {
			e.sent++
			p.field.pass(wire.Heartbeat{Edge: e.ID, Counter: e.sent}.Append(nil, (*[32]byte)(e.Send)), p.address, e.to)
		}
		state := wire.EdgeNew
		switch silence := time.Since(e.heard); {
		case p.liar, e.highest > 0 && silence > 2500*time.Millisecond, e.highest == 0 && silence > 5*time.Second:
			state = wire.EdgeMissed
		case e.highest > 0:
			state = wire.EdgeHeard
		}
		changed = changed || state != e.state
		e.state = state
	}
	if changed || p.liar && beat {
		p.report(&wire.Report{})
	}
}

// say is a report of the test's making.
func (p *probe) say(r *wire.Report) {
	p.field.mu.Lock()
	defer p.field.mu.Unlock()
	p.report(r)
}

// report tells how the neighbours are; field.mu is held.
func (p *probe) report(r *wire.Report) {
	r.Revision, r.Time = p.revision, time.Now().UnixMilli()
	for _, e := range p.edges {
		r.Edges = append(r.Edges, wire.EdgeReport{ID: e.ID, State: e.state, Age: time.Since(e.heard).Milliseconds()})
	}
	p.field.watch.Observe(sessions.Reported{Host: p.host.ID, Report: r})
}

// hear is an authentic datagram of a host at the relay.
func (f *field) hear(p *probe) {
	if f.watch.Wanted(p.host.ID) {
		f.watch.Observe(sessions.Heard{Host: p.host.ID})
	}
}

// verdicts are what the store has, the oldest first.
func (f *field) verdicts() []uplink.VerdictBody {
	f.t.Helper()
	synctest.Wait()
	all, err := f.store.Verdicts(context.Background(), 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b uplink.VerdictBody) int { return int(a.At - b.At) })
	return all
}

// quiet fails if anything was concluded.
func (f *field) quiet(when string) {
	f.t.Helper()
	for _, v := range f.verdicts() {
		f.t.Errorf("%s there is the verdict %q of %d hosts: %+v", when, v.Kind, len(v.Hosts), v.Evidence)
	}
}

// expect waits for the one verdict that is due, and returns it.
func (f *field) expect(kind uplink.VerdictKind, within time.Duration, hosts ...*probe) uplink.VerdictBody {
	f.t.Helper()
	begun := time.Now()
	for time.Since(begun) < within+5*time.Second {
		time.Sleep(100 * time.Millisecond)
		for _, v := range f.verdicts() {
			if v.Over != 0 || v.Kind != kind || len(v.Hosts) != len(hosts) {
				continue
			}
			for _, p := range hosts {
				if !slices.Contains(v.Hosts, p.host.ID) {
					f.t.Errorf("the verdict %q does not name %s", kind, p.host.Name)
				}
			}
			if took := time.Since(begun); took > within {
				f.t.Errorf("%q took %v, at most %v is allowed", kind, took, within)
			}
			return v
		}
	}
	for _, v := range f.verdicts() {
		f.t.Logf("there is %q of %d hosts, over %d: %+v", v.Kind, len(v.Hosts), v.Over, v.Evidence)
	}
	f.t.Fatalf("no verdict %q", kind)
	return uplink.VerdictBody{}
}

// over waits until a verdict has ended.
func (f *field) over(id []byte, within time.Duration) {
	f.t.Helper()
	for begun := time.Now(); time.Since(begun) < within; time.Sleep(100 * time.Millisecond) {
		for _, v := range f.verdicts() {
			if string(v.ID) == string(id) && v.Over != 0 {
				return
			}
		}
	}
	f.t.Fatalf("the verdict stands after %v", within)
}
