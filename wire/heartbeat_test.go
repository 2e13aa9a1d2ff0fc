package wire_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"

	"assimilation/wire"
)

var (
	edgeSecret = [32]byte(sequence(0x40, 32))
	edgeOne    = [wire.IDSize]byte(sequence(0x10, 16))
	edgeOther  = [wire.IDSize]byte(sequence(0x20, 16))
)

func TestHeartbeatVectors(t *testing.T) {
	key := wire.EdgeKey(&edgeSecret, 0x01020304, edgeOne, edgeOther)
	back := wire.EdgeKey(&edgeSecret, 0x01020304, edgeOther, edgeOne)
	parse := func(b []byte) error { _, err := wire.OpenHeartbeat(b, &key); return err }
	var made []vector
	for _, c := range []struct {
		name string
		h    wire.Heartbeat
	}{
		{"first", wire.Heartbeat{Edge: 0x01020304, Counter: 1}},
		{"at rest", wire.Heartbeat{Edge: 0x01020304, Counter: 86_400, Flags: wire.Hears}},
		{"last, of a probe that was late", wire.Heartbeat{Edge: 0x01020304, Counter: 1<<64 - 1, Health: 16, Flags: wire.Hears | wire.Leaving}},
		{"flags of a later version", wire.Heartbeat{Edge: 0x01020304, Counter: 2, Health: 255, Flags: 0xff}},
	} {
		b := c.h.Append(nil, &key)
		if got, err := wire.OpenHeartbeat(b, &key); err != nil || got != c.h || len(b) != wire.HeartbeatSize {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		if id, err := wire.HeartbeatEdge(b); err != nil || id != c.h.Edge {
			t.Errorf("%s: edge %x, %v", c.name, id, err)
		}
		made = append(made, vector{c.name, accept, fmt.Sprintf("edge=%08x counter=%d health=%d flags=%02x", c.h.Edge, c.h.Counter, c.h.Health, c.h.Flags), hex.EncodeToString(b)})
	}
	good := wire.Heartbeat{Edge: 0x01020304, Counter: 1}.Append(nil, &key)
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"reflected", wire.Heartbeat{Edge: 0x01020304, Counter: 1}.Append(nil, &back)},
		{"other edge", edited(good, 5, 5)},
		{"other counter", edited(good, 13, 2)},
		{"other health", edited(good, 14, 1)},
		{"said to leave", edited(good, 15, wire.Leaving)},
		{"other MAC", edited(good, 31, good[31]^1)},
		{"one byte short", good[:31]},
		{"one byte long", append(bytes.Clone(good), 0)},
		{"other version", edited(good, 1, 2)},
		{"other type", edited(good, 0, byte(wire.PacketTransport))},
		{"empty", nil},
	} {
		expect := refusal(c.b, parse)
		if expect == accept {
			t.Errorf("%s is accepted", c.name)
		}
		made = append(made, vector{name: c.name, expect: expect, hex: hex.EncodeToString(c.b)})
	}
	checkVectors(t, "heartbeat.txt", fmt.Sprintf(`Heartbeats of edge 01020304 from peer 101112..1f to peer 202122..2f, secret 404142..5f:
key of this direction %x
key of the other      %x`, key, back), made)
}

// Every part of the derivation counts, and a boundary between parts cannot be moved.
func TestEdgeKeysDiffer(t *testing.T) {
	other := edgeSecret
	other[31] ^= 1
	keys := map[[32]byte]string{}
	for name, key := range map[string][32]byte{
		"key":             wire.EdgeKey(&edgeSecret, 1, edgeOne, edgeOther),
		"other direction": wire.EdgeKey(&edgeSecret, 1, edgeOther, edgeOne),
		"other edge":      wire.EdgeKey(&edgeSecret, 2, edgeOne, edgeOther),
		"other secret":    wire.EdgeKey(&other, 1, edgeOne, edgeOther),
		"with itself":     wire.EdgeKey(&edgeSecret, 1, edgeOne, edgeOne),
	} {
		if same, ok := keys[key]; ok {
			t.Errorf("%s and %s are one key", name, same)
		}
		keys[key] = name
	}
}

// One key seals and opens any number of times.
func TestHeartbeatKeyIsReusable(t *testing.T) {
	raw := wire.EdgeKey(&edgeSecret, 1, edgeOne, edgeOther)
	key := wire.NewHeartbeatKey(&raw)
	buffer := make([]byte, 0, wire.HeartbeatSize)
	for counter := range uint64(100) {
		h := wire.Heartbeat{Edge: 1, Counter: counter}
		b := key.Append(buffer, h)
		if !bytes.Equal(b, h.Append(nil, &raw)) {
			t.Fatalf("beat %d is %x", counter, b)
		}
		if got, err := key.Open(b); err != nil || got != h {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := key.Open(edited(b, 20, b[20]^1)); wire.ReasonOf(err) != wire.BadSignature {
			t.Fatalf("damaged: %v", err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { key.Append(buffer, wire.Heartbeat{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAddresses(t *testing.T) {
	for _, text := range []string{"192.0.2.1:1984", "[2001:db8::1]:65535", "[::ffff:192.0.2.1]:9"} {
		a := netip.MustParseAddrPort(text)
		want := netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		if got, ok := wire.ParseAddress(wire.AppendAddress(nil, a)); !ok || got != want {
			t.Errorf("%s became %v, %v", text, got, ok)
		}
	}
	for _, n := range []int{0, 1, 2, 5, 7, 17, 19} {
		if a, ok := wire.ParseAddress(bytes.Repeat([]byte{1}, n)); ok {
			t.Errorf("%d bytes are %v", n, a)
		}
	}
	if a, ok := wire.ParseAddress([]byte{192, 0, 2, 1, 0, 0}); ok {
		t.Errorf("port 0 is %v", a)
	}
}

func FuzzHeartbeat(f *testing.F) {
	key := wire.EdgeKey(&edgeSecret, 1, edgeOne, edgeOther)
	f.Add(wire.Heartbeat{Edge: 1, Counter: 9, Health: 3, Flags: wire.Hears}.Append(nil, &key))
	f.Add(wire.Heartbeat{Edge: 1<<32 - 1, Counter: 1<<64 - 1, Health: 255, Flags: 255}.Append(nil, &[32]byte{}))
	f.Add(make([]byte, wire.HeartbeatSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := wire.OpenHeartbeat(b, &key)
		if err == nil && !bytes.Equal(h.Append(nil, &key), b) {
			t.Fatalf("%x became %+v", b, h)
		}
		if id, edgeErr := wire.HeartbeatEdge(b); err == nil && (edgeErr != nil || id != h.Edge) {
			t.Fatalf("edge %x of %+v: %v", id, h, edgeErr)
		}
	})
}

func BenchmarkHeartbeat(b *testing.B) {
	key := wire.NewHeartbeatKey(&edgeSecret)
	buffer := make([]byte, 0, wire.HeartbeatSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := key.Open(key.Append(buffer, wire.Heartbeat{Edge: 1, Counter: 7})); err != nil {
			b.Fatal(err)
		}
	}
}
