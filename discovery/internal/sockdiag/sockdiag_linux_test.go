package sockdiag

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKernel looks for sockets of its own in the kernel's list.
func TestKernel(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	packet, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer packet.Close()
	var v6only net.Listener
	config := net.ListenConfig{}
	if v6only, err = config.Listen(context.Background(), "tcp6", "[::]:0"); err != nil {
		t.Skipf("needs IPv6: %v", err)
	}
	defer v6only.Close()

	conn, err := Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tcp, err := Dump(conn, TCP, Listen, Established)
	if err != nil {
		t.Fatal(err)
	}
	udp, err := Dump(conn, UDP, Close)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort
	find := func(what string, list []Socket, same func(Socket) bool) {
		i := slices.IndexFunc(list, same)
		if i < 0 {
			t.Errorf("%s is not in %v", what, list)
		} else if list[i].Inode == 0 || list[i].UID != uint32(unix.Getuid()) {
			t.Errorf("%s: %+v", what, list[i])
		}
	}
	find("listener", tcp, func(s Socket) bool { return s.State == Listen && s.Local == at(listener.Addr().String()) })
	find("client", tcp, func(s Socket) bool {
		return s.State == Established && s.Local == at(client.LocalAddr().String()) && s.Remote == at(listener.Addr().String())
	})
	port := at(packet.LocalAddr().String()).Port()
	find("packet", udp, func(s Socket) bool {
		return s.V6 && !s.V6Only && s.Local == netip.AddrPortFrom(netip.IPv6Unspecified(), port)
	})
	port = at(v6only.Addr().String()).Port()
	find("v6only", tcp, func(s Socket) bool { return s.V6Only && s.Local.Port() == port })
}

func FuzzParse(f *testing.F) {
	message := make([]byte, sizeofMessage)
	message[0] = unix.AF_INET6
	f.Add(append(slices.Clone(message), 5, 0, attrV6Only, 0, 1, 0, 0, 0))
	f.Add(append(slices.Clone(message), 3, 0, attrV6Only, 0))
	message[0] = unix.AF_INET
	f.Add(message)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(TCP, b)
		if err == nil && (!s.Local.IsValid() || !s.Remote.IsValid()) {
			t.Errorf("socket without an address: %+v", s)
		}
	})
}
