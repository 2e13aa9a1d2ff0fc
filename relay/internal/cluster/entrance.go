package cluster

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"assimilation/relay/internal/limit"
)

// What whoever reaches the port may have of it before it has proved to be a
// relay. Several relays may share an address, behind a NAT.
const (
	maxShaking   = 64 // handshakes at a time
	ofOneSource  = 8
	shakePause   = 100 * time.Millisecond // between two of one source, beyond shakeBurst at once
	shakeBurst   = 40
	maxSources   = 1024
	complainings = 5 // at once, and then one in complainPause, about strangers
)

const complainPause = 10 * time.Second

// entrance bounds the handshakes.
type entrance struct {
	pace *limit.Table[netip.Addr]

	mu      sync.Mutex
	shaking map[netip.Addr]int
	all     int
}

func newEntrance() *entrance {
	return &entrance{pace: limit.NewTable[netip.Addr](shakePause, shakeBurst, maxSources), shaking: map[netip.Addr]int{}}
}

// enter reports whether a connection may shake hands now; then leave is to be
// called when it has.
func (e *entrance) enter(conn net.Conn, now time.Time) (leave func(), ok bool) {
	from := sourceOf(conn)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all >= maxShaking || e.shaking[from] >= ofOneSource || !e.pace.Allow(from, now) {
		return nil, false
	}
	e.all++
	e.shaking[from]++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.all--
		if e.shaking[from]--; e.shaking[from] == 0 {
			delete(e.shaking, from)
		}
	}, true
}

func sourceOf(conn net.Conn) netip.Addr {
	address, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return limit.Source(address.AddrPort().Addr())
}

// newComplaints paces what is logged of strangers: they choose how often they
// come.
func newComplaints() *rate.Limiter { return rate.NewLimiter(rate.Every(complainPause), complainings) }
