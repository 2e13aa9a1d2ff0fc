package udp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"assimilation/relay/internal/sessions"
	"assimilation/wire"
	"assimilation/wire/handshake"
)

// behind is what lies behind the gate in these tests: it counts, and releases.
type behind struct {
	arrivals  chan sessions.Arrival
	delivered atomic.Int64
	announced atomic.Int64
	beats     atomic.Int64
	full      atomic.Bool
}

func (b *behind) Deliver(datagram []byte, _ netip.AddrPort, release func([]byte)) bool {
	if b.full.Load() {
		return false
	}
	b.delivered.Add(1)
	release(datagram)
	return true
}

func (b *behind) Arrive(a sessions.Arrival) bool {
	select {
	case b.arrivals <- a:
		return true
	default:
		return false
	}
}

func (b *behind) Beat([]byte, netip.AddrPort) bool {
	if b.full.Load() {
		return false
	}
	b.beats.Add(1)
	return true
}

func (b *behind) Announced(wire.Announce, netip.AddrPort, time.Time) { b.announced.Add(1) }

type tested struct {
	*Gate
	behind *behind
	key    handshake.Keypair
}

func newTested(t testing.TB) *tested {
	t.Helper()
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := Listen("127.0.0.1:0", slog.New(slog.DiscardHandler), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	b := &behind{arrivals: make(chan sessions.Arrival, 16)}
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dropped"}, []string{"reason"})
	return &tested{NewGate(socket, key, b, b, b, slog.New(slog.DiscardHandler), dropped), b, key}
}

func (g *tested) drops(t testing.TB, reason string) int {
	t.Helper()
	var m dto.Metric
	if err := g.dropped.WithLabelValues(reason).Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.Counter.GetValue())
}

// in copies b into a buffer as the socket's reader does.
func (g *tested) in(b []byte, from netip.AddrPort, now time.Time) {
	buffer := *g.buffers.Get().(*[]byte)
	n := copy(buffer, b)
	if !g.sort(buffer[:n], from, now) {
		g.release(buffer)
	}
}

// giveOne does what the goroutine that gives cookies does.
func (g *tested) giveOne(now time.Time) {
	select {
	case t := <-g.strangers:
		g.giveCookie(t, now)
	default:
	}
}

func TestSorting(t *testing.T) {
	g := newTested(t)
	stranger, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ours, err := handshake.Initiate(stranger, g.key.Public, 1, nil, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, others, err := handshake.Initiate(stranger, stranger.Public, 1, nil, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := netip.MustParseAddrPort("10.0.0.1:1984")
	packet := func(kind wire.Type, size int) []byte {
		return append([]byte{byte(kind), wire.Version}, make([]byte, size-2)...)
	}
	for name, c := range map[string]struct {
		datagram []byte
		reason   string
	}{
		"empty":                     {nil, "malformed"},
		"other version":             {[]byte{1, 9}, "unsupported"},
		"unknown type":              {[]byte{77, 1}, "unsupported"},
		"too large":                 {make([]byte, wire.MaxDatagram+1), "too large"},
		"short announce":            {packet(wire.PacketAnnounce, 255), "malformed"},
		"long announce":             {packet(wire.PacketAnnounce, 257), "malformed"},
		"an answer":                 {packet(wire.PacketAnnounceReply, 157), "unexpected announce reply"},
		"handshake 2":               {packet(wire.PacketHandshake2, 100), "unexpected handshake 2"},
		"cookie":                    {packet(wire.PacketCookieReply, 62), "unexpected cookie reply"},
		"handshake for another key": {others, "handshake for another key"},
		"short heartbeat":           {packet(wire.PacketHeartbeat, wire.HeartbeatSize-1), "malformed"},
		"handshake cut":             {ours[:40], "handshake for another key"},
	} {
		before := g.drops(t, c.reason)
		g.in(c.datagram, from, time.Now())
		if got := g.drops(t, c.reason); got != before+1 {
			t.Errorf("%s: was not dropped as %q", name, c.reason)
		}
	}
	g.in(ours, from, time.Now())
	if len(g.queue) != 1 {
		t.Error("a handshake for this relay was not let through")
	}
	g.in(packet(wire.PacketTransport, 40), from, time.Now())
	if g.behind.delivered.Load() != 1 {
		t.Error("a transport packet was not delivered")
	}
	g.in(packet(wire.PacketHeartbeat, wire.HeartbeatSize), from, time.Now())
	if g.behind.beats.Load() != 1 {
		t.Error("a heartbeat was not handed on")
	}
	g.behind.full.Store(true)
	g.in(packet(wire.PacketTransport, 40), from, time.Now())
	if g.drops(t, "queue full") != 1 {
		t.Error("a full queue was not counted")
	}
	g.in(packet(wire.PacketHeartbeat, wire.HeartbeatSize), from, time.Now())
	if g.drops(t, "too many heartbeats") != 1 {
		t.Error("a heartbeat too many was not counted")
	}
}

func TestOneSourceIsLimitedAndOthersAreNot(t *testing.T) {
	g := newTested(t)
	announce := wire.Announce{Reason: wire.Malformed}.Append(nil)
	now := time.Now()
	for range 2 * announceBurst {
		g.in(announce, netip.MustParseAddrPort("10.0.0.1:5000"), now)
	}
	if got := g.drops(t, "announces over the rate"); got != announceBurst {
		t.Errorf("%d of %d announces were dropped, want half", got, 2*announceBurst)
	}
	g.in(announce, netip.MustParseAddrPort("10.0.0.2:5000"), now)
	if got := g.behind.announced.Load(); got != announceBurst+1 {
		t.Errorf("%d announces were looked at, want %d", got, announceBurst+1)
	}
}

// TestAFloodDoesNotGrow sends what an attacker on the LAN can: packets of all
// types from any address with anything in them.
func TestAFloodDoesNotGrow(t *testing.T) {
	g := newTested(t)
	g.SetProof(Proof{})
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, shake, err := handshake.Initiate(key, g.key.Public, 1, nil, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	announce := wire.Announce{}.Append(nil)
	transport := append([]byte{byte(wire.PacketTransport), wire.Version}, make([]byte, 1000)...)
	now := time.Now()
	flood := func(count int) {
		for i := range count {
			var address [4]byte
			binary.BigEndian.PutUint32(address[:], uint32(i)*2654435761)
			from := netip.AddrPortFrom(netip.AddrFrom4(address), 0) // port 0: the kernel refuses the answer
			g.in([][]byte{shake, announce, transport, {255}}[i%4], from, now)
			g.giveOne(now)
		}
	}
	flood(4 * 2 * maxSources) // fill what is bounded
	before := heap()
	flood(400_000)
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("a flood of 400,000 datagrams made the heap grow by %d bytes", grown)
	}
	if g.drops(t, "handshake without a cookie") == 0 || g.drops(t, "announces over the rate") == 0 {
		t.Error("the flood reached no limit")
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // pools give up their second generation
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestHandshakeOverTheSocket(t *testing.T) {
	g := newTested(t)
	g.SetProof(Proof{Certificate: wire.Certificate{Key: g.key.Public}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- g.Run(ctx) }()
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(g.socket.Address()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	announce := wire.Announce{Nonce: [8]byte{5}}.Append(nil)
	if _, err := conn.Write(announce); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 2048)
	n, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := wire.ParseAnnounceReply(answer[:n])
	if err != nil || reply.Nonce != [8]byte{5} || reply.Certificate.Key != g.key.Public || n > len(announce) {
		t.Errorf("the answer of %d bytes to an announce of %d is %+v, %v", n, len(announce), reply, err)
	}
	initiator, first, err := handshake.Initiate(key, reply.Certificate.Key, 3, nil, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(first); err != nil {
		t.Fatal(err)
	}
	arrival := <-g.behind.arrivals
	if arrival.Key != key.Public || arrival.From.Port() != conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() {
		t.Errorf("the handshake arrived as from %x at %s", arrival.Key, arrival.From)
	}
	if _, _, err := initiator.Finish(arrival.Reply); err != nil {
		t.Errorf("the reply: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func FuzzGate(f *testing.F) {
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	g := newTested(f)
	_, shake, err := handshake.Initiate(key, g.key.Public, 1, nil, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shake)
	f.Add(wire.Announce{}.Append(nil))
	f.Add([]byte{byte(wire.PacketTransport), wire.Version, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if len(datagram) > wire.MaxDatagram+1 {
			return
		}
		g.in(datagram, netip.MustParseAddrPort("10.0.0.1:1"), time.Now())
		select {
		case p := <-g.queue:
			g.carryOut(p, time.Now())
		default:
		}
		g.giveOne(time.Now())
		select {
		case <-g.behind.arrivals:
		default:
		}
	})
}
