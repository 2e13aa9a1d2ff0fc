package handout

import (
	"io"
	"net"
	"net/netip"
	"testing"
)

func TestOneSourceHoldsAFewConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	refused := 0
	listener := &sourceListener{Listener: inner, refused: func() { refused++ }, held: map[netip.Addr]int{}}
	dial := func(from string) net.Conn {
		t.Helper()
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	accept := func() net.Conn {
		t.Helper()
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	var first net.Conn
	for range maxPerSource {
		dial("127.0.0.1")
		if conn := accept(); first == nil {
			first = conn
		}
	}
	// One more is closed, and another source is served.
	over, other := dial("127.0.0.1"), dial("127.0.0.2")
	if got := accept(); got.RemoteAddr().String() != other.LocalAddr().String() {
		t.Errorf("%v is served, want %v", got.RemoteAddr(), other.LocalAddr())
	}
	if _, err := over.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("one too many reads %v", err)
	}
	if refused != 1 {
		t.Errorf("%d were refused, want 1", refused)
	}
	// A place is given back once, however often the connection is closed.
	for range 2 {
		first.Close()
	}
	again := dial("127.0.0.1")
	if got := accept(); got.RemoteAddr().String() != again.LocalAddr().String() {
		t.Errorf("%v is served, want %v", got.RemoteAddr(), again.LocalAddr())
	}
	if listener.take(netip.MustParseAddr("127.0.0.1")) {
		t.Error("one place was given back twice")
	}
}
