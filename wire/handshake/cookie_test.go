package handshake_test

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/handshake"
)

var (
	here  = netip.MustParseAddrPort("192.0.2.1:1984")
	noon  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	later = noon.Add(wire.CookieLife)
)

func TestACookieIsGoodForItsAddressAndTwoMinutes(t *testing.T) {
	probe, relay := keypair(t, 1), keypair(t, 2)
	guard := handshake.NewGuard(relay.Public, source(5))
	i, first := initiate(t, probe, relay, nil)
	if !guard.CheckMAC1(first) || guard.CheckMAC2(noon, first, here) {
		t.Fatal("a first packet passes without a cookie, or not at all")
	}
	reply, err := guard.Reply(noon, first, here)
	if err != nil {
		t.Fatal(err)
	}
	if len(reply) != wire.CookieReplySize || len(reply) >= len(first) {
		t.Errorf("a reply of %d bytes to a packet of %d", len(reply), len(first))
	}
	cookie, err := i.OpenCookie(reply)
	if err != nil {
		t.Fatal(err)
	}
	second := i.Packet(cookie)
	if !bytes.Equal(first[:len(first)-wire.MACSize], second[:len(second)-wire.MACSize]) {
		t.Error("the second packet is another message than the first")
	}
	for name, c := range map[string]struct {
		at   time.Time
		from string
		want bool
	}{
		"at once":         {noon, "192.0.2.1:1984", true},
		"at the end":      {later.Add(-1), "192.0.2.1:1984", true},
		"too late":        {later, "192.0.2.1:1984", false},
		"another port":    {noon, "192.0.2.1:1985", false},
		"another address": {noon, "192.0.2.2:1984", false},
	} {
		if got := guard.CheckMAC2(c.at, second, netip.MustParseAddrPort(c.from)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for at := range second { // mac2 covers all of it
		damaged := bytes.Clone(second)
		damaged[at] ^= 1
		if guard.CheckMAC2(noon, damaged, here) {
			t.Errorf("byte %d is not covered by mac2", at)
		}
	}
	// The handshake goes on as if nothing had been.
	_, answer, _, _, err := handshake.Respond(relay, 7, second, nil, source(12))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Finish(answer); err != nil {
		t.Fatal(err)
	}
	// A later handshake from the same address takes the same cookie.
	next, _ := initiate(t, probe, relay, []byte("another"))
	if !guard.CheckMAC2(noon.Add(time.Minute), next.Packet(cookie), here) {
		t.Error("the cookie is good for one packet only")
	}
	if _, err := guard.Reply(later, first, here); err != nil {
		t.Fatal(err)
	}
	if guard.CheckMAC2(later, second, here) {
		t.Error("the cookie outlived its secret")
	}
	if other := handshake.NewGuard(relay.Public, source(6)); other.CheckMAC2(noon, second, here) {
		t.Error("the cookie is good at another guard")
	}
}

func TestACookieReplyBelongsToOneHandshake(t *testing.T) {
	probe, relay, other := keypair(t, 1), keypair(t, 2), keypair(t, 3)
	guard := handshake.NewGuard(relay.Public, source(5))
	i, first := initiate(t, probe, relay, nil)
	reply, err := guard.Reply(noon, first, here)
	if err != nil {
		t.Fatal(err)
	}
	for at := range reply {
		damaged := bytes.Clone(reply)
		damaged[at] ^= 1
		if _, err := i.OpenCookie(damaged); err == nil {
			t.Errorf("a reply with byte %d damaged was opened", at)
		}
	}
	if stranger, _ := initiate(t, probe, other, nil); !refuses(stranger, reply, handshake.ErrAuth) {
		t.Error("the reply of one relay was taken for another's")
	}
	if again, _ := initiate(t, probe, relay, []byte("x")); !refuses(again, reply, handshake.ErrAuth) {
		t.Error("the reply to one message was taken for another's")
	}
	if _, err := guard.Reply(noon, first[:40], here); !errors.Is(err, handshake.ErrMalformed) {
		t.Errorf("a cut packet was answered: %v", err)
	}
}

func refuses(i *handshake.Initiator, reply []byte, want error) bool {
	_, err := i.OpenCookie(reply)
	return errors.Is(err, want)
}

func FuzzCookie(f *testing.F) {
	probe, relay := keypair(f, 1), keypair(f, 2)
	guard := handshake.NewGuard(relay.Public, source(5))
	i, first := initiate(f, probe, relay, nil)
	reply, err := guard.Reply(noon, first, here)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reply)
	f.Add(first)
	f.Add(reply[:20])
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if _, err := i.OpenCookie(datagram); err == nil && !bytes.Equal(datagram, reply) {
			t.Errorf("opened %x", datagram)
		}
		guard.CheckMAC1(datagram)
		if guard.CheckMAC2(noon, datagram, here) {
			t.Errorf("passed %x", datagram)
		}
		if answer, err := guard.Reply(noon, datagram, here); err == nil && len(answer) >= len(datagram) {
			t.Errorf("an answer of %d bytes to %d", len(answer), len(datagram))
		}
	})
}

// BenchmarkCookie is what one handshake without a cookie costs a responder
// under load, beside BenchmarkRespond.
func BenchmarkCookie(b *testing.B) {
	probe, relay := keypair(b, 1), keypair(b, 2)
	guard := handshake.NewGuard(relay.Public, source(5))
	_, first := initiate(b, probe, relay, nil)
	for b.Loop() {
		if !guard.CheckMAC1(first) || guard.CheckMAC2(noon, first, here) {
			b.Fatal("misjudged")
		}
		if _, err := guard.Reply(noon, first, here); err != nil {
			b.Fatal(err)
		}
	}
}
