package wire_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/handshake"
)

func TestCookieVectors(t *testing.T) {
	probe := handshake.KeypairFrom([32]byte(sequence(0x00, 32)))
	relay := handshake.KeypairFrom([32]byte(sequence(0x80, 32)))
	i, first, err := handshake.Initiate(probe, relay.Public, 0x01020304, nil, bytes.NewReader(sequence(0x20, 32)))
	if err != nil {
		t.Fatal(err)
	}
	from, now := netip.MustParseAddrPort("192.0.2.1:1984"), time.Unix(1_760_000_000, 0)
	guard := handshake.NewGuard(relay.Public, bytes.NewReader(sequence(0x60, 56)))
	good, err := guard.Reply(now, first, from)
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := i.OpenCookie(good)
	if err != nil {
		t.Fatal(err)
	}
	second := i.Packet(cookie)
	if !guard.CheckMAC2(now, second, from) {
		t.Error("the guard does not know its cookie")
	}
	made := []vector{
		{"handshake 1", accept, "of exchange.txt, from 192.0.2.1 port 1984", hex.EncodeToString(first)},
		{"cookie reply", accept, fmt.Sprintf("secret 606162..7f, nonce 808182..97, cookie %x", cookie), hex.EncodeToString(good)},
		{"handshake 1 with mac2", accept, "", hex.EncodeToString(second)},
	}
	parse := func(b []byte) error { _, err := wire.ParseCookieReply(b); return err }
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"one byte short", good[:len(good)-1]},
		{"one byte long", append(bytes.Clone(good), 0)},
		{"other version", edited(good, 1, 2)},
		{"other type", edited(good, 0, byte(wire.PacketHandshake2))},
		{"empty", nil},
	} {
		made = append(made, vector{name: c.name, expect: refusal(c.b, parse), hex: hex.EncodeToString(c.b)})
	}
	checkVectors(t, "cookie.txt", "A Handshake1, the CookieReply to it, and the Handshake1 once more; CookieReply packets.", made)
}
