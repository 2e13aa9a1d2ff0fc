package cluster

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/handshake"
)

func TestWhetherARelayAnswersItsProbes(t *testing.T) {
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	guard := handshake.NewGuard(key.Public, rand.Reader)
	// serve is a relay's gate, as far as this goes.
	serve := func(answer func(datagram []byte, from netip.AddrPort) []byte) string {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		go func() {
			buffer := make([]byte, wire.MaxDatagram)
			for {
				n, from, err := conn.ReadFromUDPAddrPort(buffer)
				if err != nil {
					return
				}
				conn.WriteToUDPAddrPort(answer(buffer[:n], from), from)
			}
		}()
		return conn.LocalAddr().String()
	}
	respond := func(as handshake.Keypair) func([]byte, netip.AddrPort) []byte {
		return func(datagram []byte, _ netip.AddrPort) []byte {
			_, reply, _, _, _ := handshake.Respond(as, 7, datagram, nil, rand.Reader)
			return reply
		}
	}
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, try := range map[string]struct {
		address string
		want    bool
	}{
		"it":           {serve(respond(key)), true},
		"another":      {serve(respond(other)), false},
		"an echo":      {serve(func(d []byte, _ netip.AddrPort) []byte { return d }), false},
		"it, but busy": {serve(func(d []byte, from netip.AddrPort) []byte { r, _ := guard.Reply(time.Now(), d, from); return r }), true},
		"nobody":       {closed.LocalAddr().String(), false},
	} {
		if got := answers(context.Background(), try.address, key.Public); got != try.want {
			t.Errorf("%s: %v, want %v", name, got, try.want)
		}
	}
}

func TestWhoIsDead(t *testing.T) {
	c := &Cluster{Config: Config{Times: DefaultTimes}}
	now := time.Now()
	silent := now.Add(-DefaultTimes.Lost)
	for name, test := range map[string]struct {
		peer peer
		want bool
	}{
		"heard":                           {peer{heard: now, refused: true}, false},
		"silent, its port closed":         {peer{heard: silent, refused: true, gossip: true}, true},
		"silent, and memberlist says so":  {peer{heard: silent}, true},
		"silent, memberlist hears it":     {peer{heard: silent, gossip: true}, false},
		"silent, but it serves":           {peer{heard: silent, refused: true, serving: now}, false},
		"silent, it served":               {peer{heard: silent, refused: true, serving: silent}, true},
		"it has left":                     {peer{heard: now, left: true, gossip: true}, true},
		"dead, and memberlist hears it":   {peer{heard: silent, dead: true, gossip: true}, true},
		"was dead, and its stream speaks": {peer{heard: now, dead: true}, false},
	} {
		if got := c.isDead(&test.peer, now); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
