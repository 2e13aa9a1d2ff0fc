package session_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"assimilation/wire"
	"assimilation/wire/session"
)

var (
	keyA = [32]byte{1}
	keyB = [32]byte{2}
)

func pair(t testing.TB) (a, b *session.Session) {
	t.Helper()
	a, err := session.New(0xaaaaaaaa, 0xbbbbbbbb, keyA, keyB)
	if err != nil {
		t.Fatal(err)
	}
	b, err = session.New(0xbbbbbbbb, 0xaaaaaaaa, keyB, keyA)
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func seal(t testing.TB, s *session.Session, plaintext string) []byte {
	t.Helper()
	datagram, err := s.Seal(nil, []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return datagram
}

func TestSealIsTheSpecification(t *testing.T) {
	a, _ := pair(t)
	for counter := range uint64(3) {
		got := seal(t, a, "plaintext")
		header := binary.BigEndian.AppendUint32([]byte{6, 1}, 0xbbbbbbbb)
		header = binary.BigEndian.AppendUint64(header, counter)
		aead, _ := chacha20poly1305.New(keyA[:])
		nonce := binary.LittleEndian.AppendUint64(make([]byte, 4), counter)
		if want := aead.Seal(header, nonce, []byte("plaintext"), header); !bytes.Equal(got, want) {
			t.Errorf("packet %d:\n got %x\nwant %x", counter, got, want)
		}
	}
}

func TestOpen(t *testing.T) {
	a, b := pair(t)
	first, second := seal(t, a, "first"), seal(t, a, "")
	for _, c := range []struct {
		name     string
		datagram []byte
		want     string
		err      error
	}{
		{"out of order", second, "", nil},
		{"late", first, "first", nil},
		{"again", first, "", session.ErrReplay},
		{"our own, reflected", seal(t, b, "x"), "", session.ErrMalformed},
		{"empty", nil, "", session.ErrMalformed},
		{"header only", first[:14], "", session.ErrMalformed},
		{"no tag", seal(t, a, "x")[:29], "", session.ErrMalformed},
		{"other type", append([]byte{1}, first[1:]...), "", session.ErrMalformed},
		{"too long", make([]byte, wire.MaxDatagram+1), "", session.ErrMalformed},
	} {
		got, err := b.Open(c.datagram)
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func TestReflectionWithTheRightIndexIsNotAuthentic(t *testing.T) {
	a, _ := pair(t)
	datagram := seal(t, a, "x")
	binary.BigEndian.PutUint32(datagram[2:], 0xaaaaaaaa)
	if _, err := a.Open(datagram); !errors.Is(err, session.ErrAuth) {
		t.Errorf("own packet reflected: %v", err)
	}
}

func TestEveryDamagedByteIsRefusedAndChangesNothing(t *testing.T) {
	a, b := pair(t)
	datagram := seal(t, a, "some plaintext")
	kept := bytes.Clone(datagram)
	for at := range datagram {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			damaged := bytes.Clone(datagram)
			damaged[at] ^= mask
			if _, err := b.Open(damaged); err == nil {
				t.Fatalf("byte %d damaged: opened", at)
			}
		}
	}
	if got, err := b.Open(datagram); err != nil || string(got) != "some plaintext" {
		t.Errorf("after the damaged ones: %q, %v", got, err)
	}
	if !bytes.Equal(datagram, kept) {
		t.Error("Open changed the datagram")
	}
}

func TestForgedCounterDoesNotMoveTheWindow(t *testing.T) {
	a, b := pair(t)
	datagram := seal(t, a, "x")
	forged := bytes.Clone(datagram)
	binary.BigEndian.PutUint64(forged[6:], 1<<50)
	if _, err := b.Open(forged); !errors.Is(err, session.ErrAuth) {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint64(forged[6:], wire.RejectAfterMessages)
	if _, err := b.Open(forged); !errors.Is(err, session.ErrMalformed) {
		t.Fatal(err)
	}
	if _, err := b.Open(datagram); err != nil {
		t.Errorf("after a forged counter: %v", err)
	}
}

func TestOtherKeysDoNotOpen(t *testing.T) {
	a, _ := pair(t)
	other, err := session.New(0xbbbbbbbb, 0xaaaaaaaa, keyB, [32]byte{3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(seal(t, a, "x")); !errors.Is(err, session.ErrAuth) {
		t.Errorf("opened with another key: %v", err)
	}
}

func TestSealLimits(t *testing.T) {
	a, b := pair(t)
	datagram, err := a.Seal([]byte("prefix"), make([]byte, wire.MaxPlaintext))
	if err != nil || len(datagram) != len("prefix")+wire.MaxDatagram {
		t.Fatalf("%d bytes, %v", len(datagram), err)
	}
	if _, err := b.Open(datagram[len("prefix"):]); err != nil {
		t.Error(err)
	}
	if _, err := a.Seal(nil, make([]byte, wire.MaxPlaintext+1)); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestEndOfCounters(t *testing.T) {
	a, _ := pair(t)
	now := time.Unix(0, 0)
	a.SetCounter(wire.RekeyAfterMessages - 1)
	if a.Expired(now) {
		t.Error("expired early")
	}
	seal(t, a, "x")
	if !a.Expired(now) {
		t.Error("not expired after 2^60 packets")
	}
	a.SetCounter(wire.RejectAfterMessages)
	if _, err := a.Seal(nil, nil); !errors.Is(err, session.ErrExhausted) {
		t.Errorf("sealed beyond the end: %v", err)
	}
}

func TestEndOfTime(t *testing.T) {
	a, _ := pair(t)
	start := time.Unix(1000, 0)
	if a.Expired(start.Add(time.Hour * 1000)) {
		t.Error("a session that never started expired")
	}
	a.Start(start)
	if a.Expired(start.Add(wire.RekeyAfterTime-1)) || !a.Expired(start.Add(wire.RekeyAfterTime)) {
		t.Error("does not expire at RekeyAfterTime")
	}
}

func FuzzOpen(f *testing.F) {
	a, _ := pair(f)
	f.Add(seal(f, a, "first"))
	f.Add(seal(f, a, ""))
	f.Add([]byte{6, 1, 0xbb, 0xbb, 0xbb, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		a, b := pair(t)
		_, err := b.Open(datagram)
		genuine := seal(t, a, "genuine")
		if err != nil {
			if _, err := b.Open(genuine); err != nil {
				t.Errorf("after a refused datagram: %v", err)
			}
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, _ := pair(b)
	plaintext, dst := make([]byte, wire.MaxPlaintext), make([]byte, 0, wire.MaxDatagram)
	b.SetBytes(wire.MaxPlaintext)
	for b.Loop() {
		if _, err := s.Seal(dst, plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	from, to := pair(b)
	plaintext, dst := make([]byte, wire.MaxPlaintext), make([]byte, 0, wire.MaxDatagram)
	b.SetBytes(wire.MaxPlaintext)
	for b.Loop() {
		datagram, err := from.Seal(dst, plaintext)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := to.Open(datagram); err != nil {
			b.Fatal(err)
		}
	}
}
