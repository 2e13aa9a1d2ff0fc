package handout

import (
	"net"
	"net/netip"
	"sync"

	"assimilation/relay/internal/limit"
)

// sourceListener closes connections of a source that has maxPerSource already: one
// that reads slowly must not keep the installer from others.
type sourceListener struct {
	net.Listener
	refused func()

	mu   sync.Mutex
	held map[netip.Addr]int
}

func (h *Handout) perSource(l net.Listener) net.Listener {
	return &sourceListener{Listener: l, refused: h.requests.WithLabelValues("too many connections").Inc, held: map[netip.Addr]int{}}
}

func (l *sourceListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		if err != nil {
			_ = conn.Close() // it is of no use
			continue
		}
		source := limit.Source(from.Addr())
		if l.take(source) {
			return &sourceConn{Conn: conn, give: sync.OnceFunc(func() { l.give(source) })}, nil
		}
		l.refused()
		_ = conn.Close() // nothing was said
	}
}

func (l *sourceListener) take(source netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[source] == maxPerSource {
		return false
	}
	l.held[source]++
	return true
}

func (l *sourceListener) give(source netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[source]--; l.held[source] == 0 {
		delete(l.held, source)
	}
}

// sourceConn counts for its source until it is closed.
type sourceConn struct {
	net.Conn
	give func()
}

func (c *sourceConn) Close() error {
	c.give()
	return c.Conn.Close()
}
