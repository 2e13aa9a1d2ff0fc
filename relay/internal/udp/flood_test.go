package udp

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"assimilation/relay/internal/sessions"
	"assimilation/wire"
	"assimilation/wire/handshake"
)

// TestUnderLoadNothingIsComputedWithoutACookie: over the free rate a genuine
// first message is answered by a cookie, and only with that is it let through.
func TestUnderLoadNothingIsComputedWithoutACookie(t *testing.T) {
	g := newTested(t)
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	initiator, first, err := handshake.Initiate(key, g.key.Public, 1, nil, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	conn := listenTest(t)
	from := addressOf(conn)
	now := time.Now()
	for range freeShakes {
		g.in(first, from, now)
	}
	if len(g.queue) != freeShakes {
		t.Fatalf("%d of %d handshakes were free", len(g.queue), freeShakes)
	}
	for range freeShakes {
		task := <-g.queue
		g.release(task.datagram)
	}
	g.in(first, from, now)
	if len(g.queue) != 0 || g.drops(t, "handshake without a cookie") != 1 {
		t.Fatal("one more was let through")
	}
	g.giveOne(now)
	reply := make([]byte, wire.MaxDatagram)
	n, err := conn.Read(reply)
	if err != nil || n >= len(first) {
		t.Fatalf("an answer of %d bytes to %d, %v", n, len(first), err)
	}
	cookie, err := initiator.OpenCookie(reply[:n])
	if err != nil {
		t.Fatal(err)
	}
	g.in(initiator.Packet(cookie), netip.AddrPortFrom(from.Addr(), from.Port()^1), now)
	if len(g.queue) != 0 {
		t.Error("the cookie is good for another's address")
	}
	g.giveOne(now)
	g.in(initiator.Packet(cookie), from, now)
	if len(g.queue) != 1 {
		t.Error("the cookie is not taken")
	}
	for range 2 * shakeBurst { // one who has a cookie is limited all the same
		g.in(initiator.Packet(cookie), from, now)
	}
	if g.drops(t, "handshakes over the rate")+g.drops(t, "too many handshakes queued") == 0 {
		t.Error("one source may ask without limit")
	}
	before := g.drops(t, "handshake without a cookie")
	for range 2 * maxStrangers { // nobody gives cookies: the queue is bounded
		g.in(first, from, now)
	}
	if got := g.drops(t, "too many cookies asked for"); got != maxStrangers {
		t.Errorf("%d who need a cookie were dropped, want %d", got, maxStrangers)
	}
	before += 2 * maxStrangers
	g.in(first, from, now.Add(2*heavyFor))
	if g.drops(t, "handshake without a cookie") != before {
		t.Error("a cookie is asked for when the load is over")
	}
}

// BenchmarkFlood is what one first message of a stranger costs, with its answer
// on a real socket, when cookies are asked for and as if they were not.
func BenchmarkFlood(b *testing.B) {
	for _, c := range []struct {
		name string
		free rate.Limit
	}{{"with cookies", 0}, {"without cookies", rate.Inf}} {
		b.Run(c.name, func(b *testing.B) {
			g := newTested(b)
			g.load.free = rate.NewLimiter(c.free, 0)
			var packets [64][]byte
			for i := range packets {
				key, err := handshake.NewKeypair(rand.Reader)
				if err != nil {
					b.Fatal(err)
				}
				if _, packets[i], err = handshake.Initiate(key, g.key.Public, 1, nil, rand.Reader); err != nil {
					b.Fatal(err)
				}
			}
			port := addressOf(listenTest(b)).Port()
			now, n := time.Now(), uint32(0)
			before := cpuTime(b)
			for b.Loop() {
				n++
				var address [4]byte
				binary.BigEndian.PutUint32(address[:], 127<<24|n&0xffff)
				g.giveOne(now)
				g.in(packets[n%64], netip.AddrPortFrom(netip.AddrFrom4(address), port), now)
				select {
				case t := <-g.queue:
					g.carryOut(t, now)
				default:
				}
				select {
				case a := <-g.behind.arrivals:
					g.socket.Send(a.Reply, a.From)
				default:
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is what this process has used, which on a busy machine says more than
// a clock.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestACallIsAnsweredOnce: a Handshake2 counts if it answers a call of this
// relay, and only the first.
func TestACallIsAnsweredOnce(t *testing.T) {
	g := newTested(t)
	g.SetProof(Proof{Certificate: wire.Certificate{Key: g.key.Public}})
	probe, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	conn := listenTest(t)
	from := addressOf(conn)
	g.Call(probe.Public, from, false)
	g.carryOut(<-g.queue, time.Now())
	first := make([]byte, wire.MaxDatagram)
	n, err := conn.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	_, reply, key, payload, err := handshake.Respond(probe, 5, first[:n], nil, rand.Reader)
	if err != nil || key != g.key.Public {
		t.Fatalf("called by %x, %v", key, err)
	}
	if c, err := wire.ParseCertificate(payload); err != nil || c.Key != g.key.Public {
		t.Errorf("the payload is no certificate: %v", err)
	}
	forged := append([]byte(nil), reply...)
	forged[20] ^= 1
	g.in(forged, from, time.Now())
	g.in(reply, from, time.Now())
	g.in(reply, from, time.Now())
	for len(g.queue) > 0 {
		g.carryOut(<-g.queue, time.Now())
	}
	if len(g.behind.arrivals) != 1 {
		t.Fatalf("%d sessions from one call", len(g.behind.arrivals))
	}
	if a := <-g.behind.arrivals; !a.Called || a.Key != probe.Public || a.From != from {
		t.Errorf("arrived %+v", sessions.Arrival{Key: a.Key, Called: a.Called, From: a.From})
	}
	g.in(reply, from, time.Now())
	if got := g.drops(t, "unexpected handshake 2"); got != 2 {
		t.Errorf("%d answers too many were dropped", got)
	}
}

func listenTest(t testing.TB) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4zero})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func addressOf(conn *net.UDPConn) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port())
}
