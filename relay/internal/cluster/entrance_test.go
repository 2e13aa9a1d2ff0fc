package cluster

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// record counts lines.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) lines() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Count(r.text.Bytes(), []byte("\n"))
}

// A stranger holds as many connections as he likes: relays get in all the same.
func TestAStrangerDoesNotBarTheDoor(t *testing.T) {
	a, b := newMember(t), newMember(t)
	doors, err := listen("127.0.0.1:0", netip.AddrPort{}, a.config(t, among(b)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { doors.Shutdown() })
	to := doors.listener.Addr().String()
	for range 3 * maxShaking {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 66)}}).Dial("tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() }) // which says nothing until then
	}
	conn, err := dial(context.Background(), to, streamProtocol, b.config(t, among(a)))
	if err != nil {
		t.Fatalf("a relay of the site: %v", err)
	}
	conn.Close()
	got := <-doors.streams
	got.Close()
}

func TestASourceHasItsPace(t *testing.T) {
	e, now := newEntrance(), time.Unix(1, 0)
	conn, other := &from{ip: "192.0.2.1"}, &from{ip: "192.0.2.2"}
	entered := 0
	for range 10 * shakeBurst {
		if leave, ok := e.enter(conn, now); ok {
			entered++
			leave()
		}
	}
	if _, ok := e.enter(other, now); entered != shakeBurst || !ok {
		t.Errorf("%d handshakes at once, another source may shake hands: %v", entered, ok)
	}
	for i := range ofOneSource {
		if _, ok := e.enter(conn, now.Add(time.Minute)); !ok {
			t.Errorf("handshake %d after a minute", i)
		}
	}
	if _, ok := e.enter(conn, now.Add(2*time.Minute)); ok {
		t.Error("one more at a time")
	}
}

type from struct {
	net.Conn
	ip string
}

func (f *from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(f.ip), 4000))
}

// What strangers send does not fill the log.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	var log record
	a, b := newMember(t), newMember(t)
	doors, err := listen("127.0.0.1:0", netip.AddrPort{}, a.config(t, among(b)), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range shakeBurst {
		conn, err := net.Dial("tcp", doors.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		conn.Read(make([]byte, 1)) // it is turned away
		conn.Close()
	}
	if err := doors.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if n := log.lines(); n == 0 || n > 2*complainings {
		t.Errorf("%d lines of who calls itself a relay", n)
	}
	before, out := log.lines(), lines{slog.New(slog.NewTextHandler(&log, nil)), newComplaints()}
	for range 1000 {
		out.Write([]byte("[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message from=192.0.2.1:5\n"))
	}
	if n := log.lines() - before; n == 0 || n > 2*complainings {
		t.Errorf("%d lines of memberlist", n)
	}
}
