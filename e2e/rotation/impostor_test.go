package rotation_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/handshake"
)

// impostor is who answers announces as a relay does, by a certificate of a key.
type impostor struct {
	t           *testing.T
	conn        *net.UDPConn
	address     string
	certificate wire.Certificate
}

func pretend(t *testing.T, site ed25519.PrivateKey) *impostor {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	pair, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := wire.Certificate{
		Relay: [16]byte{1}, Key: pair.Public, NotBefore: time.Now().Add(-time.Hour).Unix(), NotAfter: time.Now().Add(time.Hour).Unix(),
	}.Sign(site)
	return &impostor{t, conn, conn.LocalAddr().String(), certificate}
}

// watch answers so many announces, unless the probe begins a handshake before.
func (i *impostor) watch(most int) (announces int, shaken bool) {
	i.t.Helper()
	if err := i.conn.SetReadDeadline(time.Now().Add(settle)); err != nil {
		i.t.Fatal(err)
	}
	b := make([]byte, wire.MaxDatagram)
	for announces < most {
		n, from, err := i.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			i.t.Fatalf("waiting for a probe: %v", err)
		}
		switch kind, err := wire.PacketType(b[:n]); {
		case err == nil && kind == wire.PacketHandshake1:
			return announces, true
		case err == nil && kind == wire.PacketAnnounce:
			a, err := wire.ParseAnnounce(b[:n])
			if err != nil {
				i.t.Fatal(err)
			}
			announces++
			if _, err := i.conn.WriteToUDPAddrPort(wire.AnnounceReply{Nonce: a.Nonce, Certificate: i.certificate}.Append(nil), from); err != nil {
				i.t.Fatal(err)
			}
		}
	}
	return announces, false
}
