package tokens_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"assimilation/wire"
)

// lossy forwards datagrams between one probe and its relay, and loses the first
// of the relay's transport packets.
type lossy struct {
	address string
	toProbe *net.UDPConn
	toRelay *net.UDPConn

	mu      sync.Mutex
	probe   *net.UDPAddr
	dropped int
	limit   int
	reached chan struct{}
}

// unlimited: lose all, until lose says how many.
const unlimited = 1 << 30

func newLossy(t *testing.T, relay string) *lossy {
	t.Helper()
	remote, err := net.ResolveUDPAddr("udp", relay)
	if err != nil {
		t.Fatal(err)
	}
	l := &lossy{limit: unlimited, reached: make(chan struct{}, 1000)}
	if l.toProbe, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	if l.toRelay, err = net.DialUDP("udp", nil, remote); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.toProbe.Close(); l.toRelay.Close() })
	l.address = l.toProbe.LocalAddr().String()
	go l.up()
	go l.down()
	return l
}

func (l *lossy) up() {
	buf := make([]byte, 65536)
	for {
		n, from, err := l.toProbe.ReadFromUDP(buf)
		if err != nil {
			return // closed
		}
		l.mu.Lock()
		l.probe = from
		l.mu.Unlock()
		// What the relay's socket refuses is lost, as on a real network.
		_, _ = l.toRelay.Write(buf[:n])
	}
}

func (l *lossy) down() {
	buf := make([]byte, 65536)
	for {
		n, err := l.toRelay.Read(buf)
		if err != nil {
			return
		}
		if to := l.judge(buf[:n]); to != nil {
			_, _ = l.toProbe.WriteToUDP(buf[:n], to)
		}
	}
}

// judge returns where a datagram of the relay goes; nil: it is lost.
func (l *lossy) judge(datagram []byte) *net.UDPAddr {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind, err := wire.PacketType(datagram)
	if err == nil && kind == wire.PacketTransport && l.dropped < l.limit {
		l.dropped++
		select {
		case l.reached <- struct{}{}:
		default: // nobody counts any more
		}
		return nil
	}
	return l.probe
}

// lose lets the first n transport packets of the relay be lost, and all others
// through.
func (l *lossy) lose(t *testing.T, n int, within time.Duration) {
	t.Helper()
	timeout := time.After(within)
	for range n {
		select {
		case <-l.reached:
		case <-timeout:
			t.Fatalf("the relay did not send %d packets within %v", n, within)
		}
	}
	l.mu.Lock()
	l.limit = 0
	l.mu.Unlock()
}

func (l *lossy) lost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}
