package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/handshake"
)

var update = flag.Bool("update", false, "write the vectors anew from this code")

// vector is one block of a file in testdata/vectors:
//
//	case: name
//	expect: accept | accept, decode only | the reason of the refusal
//	fields: what is inside, for people
//	hex: the bytes
type vector struct{ name, expect, fields, hex string }

const (
	accept     = "accept"
	decodeOnly = "accept, decode only" // a compressor may find another encoding
)

func (v vector) bytes(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.hex)
	if err != nil {
		t.Fatalf("%s: %v", v.name, err)
	}
	return b
}

// checkVectors compares the file with the vectors made by this code: the file
// is the truth, and a difference an accident or a new protocol.
func checkVectors(t *testing.T, file, about string, made []vector) {
	t.Helper()
	path := filepath.Join("testdata", "vectors", file)
	var text strings.Builder
	for line := range strings.Lines(about) {
		fmt.Fprintf(&text, "# %s\n", strings.TrimSpace(line))
	}
	for _, v := range made {
		fmt.Fprintf(&text, "\ncase: %s\nexpect: %s\n", v.name, v.expect)
		if v.fields != "" {
			fmt.Fprintf(&text, "fields: %s\n", v.fields)
		}
		fmt.Fprintf(&text, "hex: %s\n", v.hex)
	}
	if *update {
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) == text.String() {
		return
	}
	keptLines, madeLines := strings.Split(string(kept), "\n"), strings.Split(text.String(), "\n")
	for i := range min(len(keptLines), len(madeLines)) {
		if keptLines[i] != madeLines[i] {
			t.Fatalf("%s line %d:\nkept %.300s\nmade %.300s", path, i+1, keptLines[i], madeLines[i])
		}
	}
	t.Fatalf("%s has %d lines, this code makes %d", path, len(keptLines), len(madeLines))
}

func sequence(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// siteKey is the site that signs in all vectors.
var siteKey = ed25519.NewKeyFromSeed(sequence(0x40, 32))

func certificate() wire.Certificate {
	return wire.Certificate{
		Relay:     [16]byte(sequence(0x10, 16)),
		Site:      [16]byte(sequence(0x20, 16)),
		Key:       handshake.KeypairFrom([32]byte(sequence(0x80, 32))).Public,
		NotBefore: 1_760_000_000,
		NotAfter:  1_790_000_000,
	}.Sign(siteKey)
}

func revocation() wire.Revocation {
	return wire.Revocation{At: 1_770_000_000_000, Relays: [][16]byte{[16]byte(sequence(0x10, 16)), [16]byte(sequence(0x20, 16))}}.Sign(siteKey)
}

// laterKey is the site's that follows siteKey.
var laterKey = ed25519.NewKeyFromSeed(sequence(0x60, 32))

func publicOf(k ed25519.PrivateKey) [32]byte { return [32]byte(k.Public().(ed25519.PublicKey)) }

func statement(alone bool) wire.KeyStatement {
	s := wire.KeyStatement{Sequence: 1, Alone: alone, Newest: publicOf(laterKey), Former: publicOf(siteKey)}
	if alone {
		s.Sequence++
	}
	return s.Sign(laterKey, siteKey)
}

func refusal(b []byte, parse func([]byte) error) string {
	if err := parse(b); err != nil {
		return wire.ReasonOf(err).String()
	}
	return accept
}

// edited returns a copy of b with the bytes at the offset replaced.
func edited(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

func TestAnnounceVectors(t *testing.T) {
	parse := func(b []byte) error { _, err := wire.ParseAnnounce(b); return err }
	a := wire.Announce{
		Reason:      wire.UsedUp,
		Fingerprint: wire.Fingerprint([32]byte(sequence(0, 32))),
		SiteHint:    wire.SiteHint(siteKey.Public().(ed25519.PublicKey)),
		Nonce:       [8]byte(sequence(0xf0, 8)),
	}
	var made []vector
	for _, c := range []struct {
		name string
		a    wire.Announce
	}{{"of a stuck probe", a}, {"of a probe without a site", wire.Announce{Nonce: a.Nonce}}} {
		b := c.a.Append(nil)
		if got, err := wire.ParseAnnounce(b); err != nil || got != c.a {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		made = append(made, vector{c.name, accept, fmt.Sprintf("reason=%d fingerprint=%x hint=%x nonce=%x",
			c.a.Reason, c.a.Fingerprint, c.a.SiteHint, c.a.Nonce), hex.EncodeToString(b)})
	}
	good := a.Append(nil)
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"padding in use by a later version", edited(good, 200, 1, 2, 3)},
		{"unknown reason", edited(good, 2, 0xff, 0xff)},
		{"one byte short", good[:255]},
		{"one byte long", append(bytes.Clone(good), 0)},
		{"empty", nil},
		{"type only", good[:1]},
		{"other version", edited(good, 1, 2)},
		{"other type", edited(good, 0, byte(wire.PacketTransport))},
		{"unknown type", edited(good, 0, 99)},
		{"heartbeat by its type", edited(good, 0, byte(wire.PacketHeartbeat))},
		{"type zero", edited(good, 0, 0)},
		{"over 1200 bytes", append(bytes.Clone(good), make([]byte, 945)...)},
	} {
		made = append(made, vector{name: c.name, expect: refusal(c.b, parse), hex: hex.EncodeToString(c.b)})
	}
	checkVectors(t, "announce.txt", "Announce packets.", made)
}

func TestAnnounceReplyVectors(t *testing.T) {
	parse := func(b []byte) error { _, err := wire.ParseAnnounceReply(b); return err }
	r := wire.AnnounceReply{Nonce: [8]byte(sequence(0xf0, 8)), Certificate: certificate()}
	good := r.Append(nil)
	if len(good) > wire.AnnounceSize {
		t.Fatalf("reply of %d bytes is longer than the announce", len(good))
	}
	if got, err := wire.ParseAnnounceReply(good); err != nil || got != r {
		t.Errorf("%+v, %v", got, err)
	}
	made := []vector{{"reply", accept, fmt.Sprintf("flags=0 nonce=%x certificate=%x", r.Nonce, r.Certificate.Append(nil)), hex.EncodeToString(good)}}
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"flags of a later version", edited(good, 2, 0xff, 0xff)},
		{"one byte short", good[:len(good)-1]},
		{"one byte long", append(bytes.Clone(good), 0)},
		{"without a certificate", good[:12]},
		{"certificate of another version", edited(good, 12, 2)},
		{"other version", edited(good, 1, 0)},
		{"an announce", wire.Announce{}.Append(nil)},
	} {
		made = append(made, vector{name: c.name, expect: refusal(c.b, parse), hex: hex.EncodeToString(c.b)})
	}
	checkVectors(t, "announce-reply.txt", "AnnounceReply packets. The certificate is not verified by parsing.", made)
}

func TestCertificateVectors(t *testing.T) {
	public := siteKey.Public().(ed25519.PublicKey)
	verifyAt := func(unix int64, key ed25519.PublicKey) func([]byte) error {
		return func(b []byte) error {
			c, err := wire.ParseCertificate(b)
			if err != nil {
				return err
			}
			return c.Verify(key, time.Unix(unix, 0))
		}
	}
	other := ed25519.NewKeyFromSeed(sequence(0x41, 32)).Public().(ed25519.PublicKey)
	c := certificate()
	good := c.Append(nil)
	var made []vector
	for _, v := range []struct {
		name  string
		at    int64
		key   ed25519.PublicKey
		bytes []byte
	}{
		{"first second", c.NotBefore, public, good},
		{"last second", c.NotAfter, public, good},
		{"a second early", c.NotBefore - 1, public, good},
		{"a second late", c.NotAfter + 1, public, good},
		{"by another site", c.NotBefore, other, good},
		{"without a site key", c.NotBefore, nil, good},
		{"other relay", c.NotBefore, public, edited(good, 1, 0xff)},
		{"other site", c.NotBefore, public, edited(good, 17, 0xff)},
		{"other key", c.NotBefore, public, edited(good, 33, 0xff)},
		{"other start", c.NotBefore, public, edited(good, 72, 0xff)},
		{"other end", c.NotBefore, public, edited(good, 80, 0xff)},
		{"other signature", c.NotBefore, public, edited(good, 144, 0xff)},
		{"other version", c.NotBefore, public, edited(good, 0, 2)},
		{"short", c.NotBefore, public, good[:144]},
		{"long", c.NotBefore, public, append(bytes.Clone(good), 0)},
	} {
		made = append(made, vector{v.name, refusal(v.bytes, verifyAt(v.at, v.key)),
			fmt.Sprintf("at=%d site key=%x", v.at, []byte(v.key)), hex.EncodeToString(v.bytes)})
	}
	checkVectors(t, "certificate.txt", "Relay certificates, verified with a site key at a time (Unix seconds).", made)
}

// TestExchangeVector is a whole session with fixed keys: handshake and one
// transport packet each way.
func TestExchangeVector(t *testing.T) {
	probe := handshake.KeypairFrom([32]byte(sequence(0x00, 32)))
	relay := handshake.KeypairFrom([32]byte(sequence(0x80, 32)))
	i, first, err := handshake.Initiate(probe, relay.Public, 0x01020304, nil, bytes.NewReader(sequence(0x20, 32)))
	if err != nil {
		t.Fatal(err)
	}
	responder, second, _, _, err := handshake.Respond(relay, 0x0a0b0c0d, first, nil, bytes.NewReader(sequence(0x60, 32)))
	if err != nil {
		t.Fatal(err)
	}
	initiator, _, err := i.Finish(second)
	if err != nil {
		t.Fatal(err)
	}
	echo := binary.BigEndian.AppendUint64([]byte{4}, 1)
	third, err := initiator.Seal(nil, echo)
	if err != nil {
		t.Fatal(err)
	}
	echo[0] = 5
	fourth, err := responder.Seal(nil, echo)
	if err != nil {
		t.Fatal(err)
	}
	checkVectors(t, "exchange.txt", `A session with fixed keys, X25519 private keys:
probe static 000102..1f, ephemeral 202122..3f
relay static 808182..9f, ephemeral 606162..7f`, []vector{
		{"handshake 1", accept, "probe to relay, sender index 01020304, empty payload", hex.EncodeToString(first)},
		{"handshake 2", accept, "relay to probe, sender index 0a0b0c0d, empty payload", hex.EncodeToString(second)},
		{"transport, probe to relay", accept, "counter 0, ECHO with nonce 1", hex.EncodeToString(third)},
		{"transport, relay to probe", accept, "counter 0, ECHO REPLY with nonce 1", hex.EncodeToString(fourth)},
	})
}
