package udp_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"assimilation/probe/internal/udp"
	"assimilation/wire"
)

func open(t *testing.T, address string) *udp.Socket {
	t.Helper()
	s, err := udp.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func receive(t *testing.T, s *udp.Socket) udp.Datagram {
	t.Helper()
	select {
	case d := <-s.Received():
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		return udp.Datagram{}
	}
}

func loopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
}

func TestSendAndReceive(t *testing.T) {
	a, b := open(t, "127.0.0.1:0"), open(t, ":0")
	if err := a.Send(loopback(b.Port()), []byte("there")); err != nil {
		t.Fatal(err)
	}
	d := receive(t, b)
	if string(d.Data) != "there" || d.From != loopback(a.Port()) {
		t.Errorf("%q from %v", d.Data, d.From)
	}
	if err := b.Send(d.From, []byte("back")); err != nil {
		t.Fatal(err)
	}
	if d := receive(t, a); string(d.Data) != "back" {
		t.Errorf("%q", d.Data)
	}
	if err := a.Send(netip.MustParseAddrPort("[::1]:9"), []byte("x")); err == nil {
		t.Error("a socket bound to IPv4 sent to IPv6")
	}
}

// What is too long must show as too long, not as something shorter.
func TestLongDatagramIsNotCutToSize(t *testing.T) {
	a, b := open(t, ":0"), open(t, ":0")
	if err := a.Send(loopback(b.Port()), make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.PacketType(receive(t, b).Data); wire.ReasonOf(err) != wire.TooLarge {
		t.Errorf("%v, want too large", err)
	}
}

func TestTwoProbesOnOneHost(t *testing.T) {
	first, second := open(t, ""), open(t, "")
	if first.Port() == second.Port() {
		t.Errorf("both at port %d", first.Port())
	}
}

func TestAnnounceReachesAGroupMember(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var multicast *net.Interface
	for _, i := range interfaces {
		if i.Flags&(net.FlagUp|net.FlagMulticast) == net.FlagUp|net.FlagMulticast {
			multicast = &i
		}
	}
	if multicast == nil {
		t.Skip("no interface here can multicast")
	}
	group := &net.UDPAddr{IP: net.ParseIP(wire.MulticastIPv4), Port: wire.Port}
	member, err := net.ListenMulticastUDP("udp4", multicast, group)
	if err != nil {
		t.Skip("the port of the protocol is in use here: ", err)
	}
	defer member.Close()
	if err := open(t, ":0").Announce([]byte("who is there")); err != nil {
		t.Fatal(err)
	}
	if err := member.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	for {
		n, _, err := member.ReadFromUDP(b)
		if err != nil {
			t.Fatal(err)
		}
		if string(b[:n]) == "who is there" {
			return
		}
	}
}
