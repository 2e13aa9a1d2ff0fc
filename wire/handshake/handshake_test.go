package handshake_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/session"
)

func source(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func keypair(t testing.TB, seed byte) handshake.Keypair {
	t.Helper()
	k, err := handshake.NewKeypair(source(seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func initiate(t testing.TB, local, remote handshake.Keypair, payload []byte) (*handshake.Initiator, []byte) {
	t.Helper()
	i, datagram, err := handshake.Initiate(local, remote.Public, 0x11111111, payload, source(11))
	if err != nil {
		t.Fatal(err)
	}
	return i, datagram
}

func TestHandshake(t *testing.T) {
	probe, relay := keypair(t, 1), keypair(t, 2)
	for _, payload := range []string{"", "certificate", strings.Repeat("x", handshake.MaxPayload1)} {
		i, first := initiate(t, probe, relay, []byte(payload))
		if len(first) > wire.MaxDatagram {
			t.Fatalf("handshake 1 of %d bytes", len(first))
		}
		answer := payload[:min(len(payload), handshake.MaxPayload2)]
		responder, reply, who, got, err := handshake.Respond(relay, 0x22222222, first, []byte(answer), source(12))
		if err != nil {
			t.Fatal(err)
		}
		if who != probe.Public || string(got) != payload {
			t.Errorf("responder saw key %x, payload of %d bytes", who, len(got))
		}
		initiator, got, err := i.Finish(reply)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != answer {
			t.Errorf("initiator saw payload %q", got)
		}
		if initiator.RemoteIndex != 0x22222222 || responder.RemoteIndex != 0x11111111 {
			t.Errorf("indices %x and %x", initiator.RemoteIndex, responder.RemoteIndex)
		}
		exchange(t, initiator, responder)
		exchange(t, responder, initiator)
	}
}

func exchange(t *testing.T, from, to *session.Session) {
	t.Helper()
	sealed, err := from.Seal(nil, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := to.Open(sealed); err != nil || string(opened) != "hello" {
		t.Fatalf("opened %q, %v", opened, err)
	}
}

func TestEveryDamagedByteIsRefused(t *testing.T) {
	probe, relay := keypair(t, 1), keypair(t, 2)
	i, first := initiate(t, probe, relay, []byte("payload"))
	for at := range len(first) - wire.MACSize { // mac2 is not looked at
		damaged := bytes.Clone(first)
		damaged[at] ^= 0x40
		if _, _, _, _, err := handshake.Respond(relay, 2, damaged, nil, source(12)); err == nil {
			t.Fatalf("handshake 1 with byte %d damaged was answered", at)
		}
	}
	_, reply, _, _, err := handshake.Respond(relay, 2, first, nil, source(12))
	if err != nil {
		t.Fatal(err)
	}
	for at := range len(reply) - wire.MACSize {
		damaged := bytes.Clone(reply)
		damaged[at] ^= 0x40
		if _, _, err := i.Finish(damaged); err == nil {
			t.Fatalf("handshake 2 with byte %d damaged was taken", at)
		}
	}
	if _, _, err := i.Finish(reply); err != nil {
		t.Errorf("after forged answers the true one: %v", err)
	}
}

// TestForgedAnswerDoesNotEndTheHandshake has a forger who knows the probe's
// public key, so mac1 is right.
func TestForgedAnswerDoesNotEndTheHandshake(t *testing.T) {
	probe, relay := keypair(t, 1), keypair(t, 2)
	for name, ephemeral := range map[string][]byte{
		"low order":     make([]byte, 32),
		"low order, 1":  append([]byte{1}, make([]byte, 31)...),
		"of the forger": bytes.Clone(relay.Public[:]),
	} {
		t.Run(name, func(t *testing.T) {
			i, first := initiate(t, probe, relay, nil)
			_, reply, _, _, err := handshake.Respond(relay, 2, first, nil, source(12))
			if err != nil {
				t.Fatal(err)
			}
			forged := bytes.Clone(reply)
			copy(forged[10:], ephemeral)
			handshake.SetMAC1(probe.Public, forged)
			if _, _, err := i.Finish(forged); !errors.Is(err, handshake.ErrAuth) {
				t.Fatalf("forged answer: %v", err)
			}
			if _, _, err := i.Finish(reply); err != nil {
				t.Fatalf("true answer after it: %v", err)
			}
		})
	}
}

func TestRespondRefuses(t *testing.T) {
	probe, relay := keypair(t, 1), keypair(t, 2)
	_, first := initiate(t, probe, relay, nil)
	lowOrder := bytes.Clone(first)
	clear(lowOrder[6:38])
	handshake.SetMAC1(relay.Public, lowOrder)
	for _, c := range []struct {
		name     string
		local    handshake.Keypair
		datagram []byte
		want     error
	}{
		{"empty", relay, nil, handshake.ErrMalformed},
		{"short", relay, first[:133], handshake.ErrMalformed},
		{"other type", relay, append([]byte{byte(wire.PacketTransport)}, first[1:]...), handshake.ErrMalformed},
		{"other version", relay, append([]byte{first[0], 9}, first[2:]...), handshake.ErrMalformed},
		{"other relay's", keypair(t, 3), first, handshake.ErrMAC},
		{"low order", relay, lowOrder, handshake.ErrAuth},
	} {
		if _, _, _, _, err := handshake.Respond(c.local, 2, c.datagram, nil, source(12)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, _, _, _, err := handshake.Respond(relay, 2, first, make([]byte, handshake.MaxPayload2+1), source(1)); err == nil {
		t.Error("payload 2 over the limit was sent")
	}
	if _, _, err := handshake.Initiate(probe, relay.Public, 1, make([]byte, handshake.MaxPayload1+1), source(1)); err == nil {
		t.Error("payload 1 over the limit was sent")
	}
}

func TestFinishRefusesAnAnswerToAnother(t *testing.T) {
	probe, relay := keypair(t, 1), keypair(t, 2)
	i, first := initiate(t, probe, relay, nil)
	other, otherFirst, err := handshake.Initiate(probe, relay.Public, 0x11111111, nil, source(99))
	if err != nil {
		t.Fatal(err)
	}
	_, reply, _, _, err := handshake.Respond(relay, 2, otherFirst, nil, source(12))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Finish(reply); !errors.Is(err, handshake.ErrAuth) {
		t.Errorf("answer to another message 1: %v", err)
	}
	if _, _, err := other.Finish(reply); err != nil {
		t.Error(err)
	}
	wrongIndex := bytes.Clone(reply)
	binary.BigEndian.PutUint32(wrongIndex[6:], 5)
	if _, _, err := i.Finish(wrongIndex); !errors.Is(err, handshake.ErrMalformed) {
		t.Errorf("answer to another index: %v", err)
	}
	if _, _, err := i.Finish(first); !errors.Is(err, handshake.ErrMalformed) {
		t.Errorf("a handshake 1: %v", err)
	}
}

func TestKeypairPrintsNoSecret(t *testing.T) {
	k := keypair(t, 1)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(format, k)
		if strings.Contains(text, fmt.Sprintf("%x", k.Private[:4])) || strings.Contains(text, fmt.Sprint(k.Private[0], " ", k.Private[1])) {
			t.Errorf("%s prints %s", format, text)
		}
	}
	if handshake.KeypairFrom(k.Private) != k {
		t.Error("a stored private key makes another pair")
	}
}

func FuzzHandshakeRespond(f *testing.F) {
	probe, relay := keypair(f, 1), keypair(f, 2)
	_, first := initiate(f, probe, relay, nil)
	f.Add(first)
	_, withPayload := initiate(f, probe, relay, []byte("certificate"))
	f.Add(withPayload)
	f.Add(first[:40])
	f.Fuzz(func(t *testing.T, datagram []byte) {
		datagram = bytes.Clone(datagram)
		if len(datagram) >= 134 {
			handshake.SetMAC1(relay.Public, datagram) // else only mac1 would be tried
		}
		s, reply, _, _, err := handshake.Respond(relay, 2, datagram, nil, source(12))
		if err == nil && (s == nil || len(reply) > wire.MaxDatagram) {
			t.Errorf("session %v, reply of %d bytes", s, len(reply))
		}
	})
}

func BenchmarkHandshake(b *testing.B) {
	probe, relay := keypair(b, 1), keypair(b, 2)
	random := source(3)
	for b.Loop() {
		i, first, err := handshake.Initiate(probe, relay.Public, 1, nil, random)
		if err != nil {
			b.Fatal(err)
		}
		_, reply, _, _, err := handshake.Respond(relay, 2, first, nil, random)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := i.Finish(reply); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRespond(b *testing.B) {
	probe, relay := keypair(b, 1), keypair(b, 2)
	_, first := initiate(b, probe, relay, nil)
	random := source(3)
	for b.Loop() {
		if _, _, _, _, err := handshake.Respond(relay, 2, first, nil, random); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckMAC1(b *testing.B) {
	probe, relay := keypair(b, 1), keypair(b, 2)
	_, first := initiate(b, probe, relay, nil)
	for b.Loop() {
		if !handshake.CheckMAC1(relay.Public, first) {
			b.Fatal("refused")
		}
	}
}
