package udp

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"assimilation/relay/internal/limit"
	"assimilation/relay/internal/sessions"
	"assimilation/wire"
	"assimilation/wire/handshake"
)

// What one source, and all together, may ask for. A probe announces every few
// seconds until it is answered and makes a handshake every two hours; many may
// share an address behind NAT.
const (
	announceInterval = 2 * time.Millisecond
	announceBurst    = 2000
	announceAll      = 20_000 // per second: an answer costs a copy and a system call, and is shorter than the question
	shakeInterval    = 5 * time.Millisecond
	shakeBurst       = 1000
	maxSources       = 8192
	maxStrangers     = 1024 // handshakes that wait for a cookie
	maxQueued        = 512  // handshakes that wait for a worker: half a second
)

// Sessions takes in what passed the gate.
type Sessions interface {
	Deliver(datagram []byte, from netip.AddrPort, release func([]byte)) bool
	Arrive(sessions.Arrival) bool
}

// Announced hears of probes that look for a relay. Nothing of it is proved.
type Announced interface {
	Announced(announce wire.Announce, from netip.AddrPort, now time.Time)
}

// Beats takes in heartbeats, and reports whether there was room. It keeps nothing
// of the packet.
type Beats interface {
	Beat(packet []byte, from netip.AddrPort) bool
}

// Gate sorts what the socket receives.
type Gate struct {
	socket   *Socket
	key      handshake.Keypair
	sessions Sessions
	hears    Announced
	beats    Beats
	log      *slog.Logger
	dropped  *prometheus.CounterVec

	proof       atomic.Pointer[shown]
	announces   *limit.Table[netip.Addr]
	allAnnounce *rate.Limiter
	shakes      *limit.Table[netip.Addr]
	load        *load
	baking      sync.Mutex // guards the cookies of guard
	guard       *handshake.Guard
	strangers   chan task     // who need a cookie
	pace        *rate.Limiter // of the workers
	queue       chan task
	calls       calls
	buffers     sync.Pool
}

// NewGate makes the gate of a relay with that key. dropped has the label
// "reason".
func NewGate(socket *Socket, key handshake.Keypair, s Sessions, hears Announced, beats Beats, log *slog.Logger, dropped *prometheus.CounterVec) *Gate {
	return &Gate{
		socket: socket, key: key, sessions: s, hears: hears, beats: beats, log: log, dropped: dropped,
		announces:   limit.NewTable[netip.Addr](announceInterval, announceBurst, maxSources),
		allAnnounce: rate.NewLimiter(announceAll, announceAll),
		shakes:      limit.NewTable[netip.Addr](shakeInterval, shakeBurst, maxSources),
		load:        newLoad(),
		guard:       handshake.NewGuard(key.Public, rand.Reader),
		strangers:   make(chan task, maxStrangers),
		pace:        rate.NewLimiter(maxShakes, maxShakes/10),
		queue:       make(chan task, maxQueued),
		calls:       calls{open: map[uint32]call{}},
		// One byte more than allowed, so that what is cut shows as too large.
		buffers: sync.Pool{New: func() any { b := make([]byte, wire.MaxDatagram+1); return &b }},
	}
}

// Proof is what a relay shows to probes.
type Proof struct {
	Certificate wire.Certificate
	// Next is by the key that replaces the site's, for those who hint at that; nil:
	// none does.
	Next *wire.Certificate
	// Keys is the newest statement of the site's keys; nil: there is one key.
	Keys *wire.KeyStatement
}

// shown is a Proof with the hints that it has to be compared with.
type shown struct {
	Proof
	newest, former [8]byte
}

// SetProof is what announces and calls are answered with from now on.
func (g *Gate) SetProof(p Proof) {
	s := shown{Proof: p}
	if p.Keys != nil {
		s.newest, s.former = wire.SiteHint(p.Keys.Newest[:]), wire.SiteHint(p.Keys.Former[:])
	}
	g.proof.Store(&s)
}

// answer is for who hints at a key of a site.
func (s *shown) answer(announce wire.Announce) wire.AnnounceReply {
	reply := wire.AnnounceReply{Nonce: announce.Nonce, Certificate: s.Certificate}
	switch {
	case s.Keys == nil:
	case s.Next != nil && announce.SiteHint == s.newest:
		reply.Certificate = *s.Next
	case s.Keys.Alone && announce.SiteHint == s.former:
		reply.Flags = wire.HintRetired
	}
	return reply
}

// Run serves until ctx ends.
func (g *Gate) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, conn := range g.socket.conns() {
		group.Go(func() error { return g.read(ctx, conn) })
	}
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error { g.shake(ctx); return nil })
	}
	group.Go(func() error { g.giveCookies(ctx); return nil })
	group.Go(func() error { g.socket.Join(ctx); return nil })
	<-ctx.Done()
	closed := g.socket.Close()
	return errors.Join(group.Wait(), closed)
}

func (g *Gate) read(ctx context.Context, conn *net.UDPConn) error {
	for {
		buffer := *g.buffers.Get().(*[]byte)
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			g.release(buffer)
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			g.drop("not received") // such as an ICMP error for something we sent
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if !g.sort(buffer[:n], from, time.Now()) {
			g.release(buffer)
		}
	}
}

// sort handles one datagram, and reports whether somebody has kept it.
func (g *Gate) sort(datagram []byte, from netip.AddrPort, now time.Time) (kept bool) {
	kind, err := wire.PacketType(datagram)
	if err != nil {
		g.drop(wire.ReasonOf(err).String())
		return false
	}
	switch kind {
	case wire.PacketTransport:
		if kept = g.sessions.Deliver(datagram, from, g.release); !kept {
			g.drop("queue full")
		}
		return kept
	case wire.PacketHandshake1:
		return g.admit(datagram, from, now)
	case wire.PacketHandshake2:
		return g.admitAnswer(datagram, from)
	case wire.PacketAnnounce:
		g.answer(datagram, from, now)
		return false
	case wire.PacketHeartbeat:
		if g.beats == nil {
			break
		}
		if _, err := wire.HeartbeatEdge(datagram); err != nil {
			g.drop(wire.ReasonOf(err).String())
		} else if !g.beats.Beat(datagram, from) {
			g.drop("too many heartbeats")
		}
		return false
	}
	g.drop("unexpected " + kind.String())
	return false
}

// answer replies to an announce, whatever site it hints at: a probe whose token
// is of another site learns so from the certificate, which its site's key does
// not verify.
func (g *Gate) answer(datagram []byte, from netip.AddrPort, now time.Time) {
	announce, err := wire.ParseAnnounce(datagram)
	if err != nil {
		g.drop(wire.ReasonOf(err).String())
		return
	}
	if !g.announces.Allow(limit.Source(from.Addr()), now) || !g.allAnnounce.AllowN(now, 1) {
		g.drop("announces over the rate")
		return
	}
	g.hears.Announced(announce, from, now)
	if proof := g.proof.Load(); proof != nil {
		g.socket.Send(proof.answer(announce).Append(nil), from)
	}
}

func (g *Gate) release(datagram []byte) {
	whole := datagram[:cap(datagram)]
	g.buffers.Put(&whole)
}

func (g *Gate) drop(reason string) { g.dropped.WithLabelValues(reason).Inc() }
