package wire_test

import (
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"assimilation/wire"
)

func TestWhoIsTrustedAfterAStatement(t *testing.T) {
	last := ed25519.NewKeyFromSeed(sequence(0x90, 32))
	old, new, newest := publicOf(siteKey), publicOf(laterKey), publicOf(last)
	between := func(sequence uint64, newest, former ed25519.PrivateKey) wire.KeyStatement {
		return wire.KeyStatement{Sequence: sequence, Newest: publicOf(newest), Former: publicOf(former)}.Sign(newest, former)
	}
	alone := func(newest, former ed25519.PrivateKey) wire.KeyStatement {
		return wire.KeyStatement{Sequence: 9, Alone: true, Newest: publicOf(newest), Former: publicOf(former)}.Sign(newest, nil)
	}
	for _, c := range []struct {
		name      string
		trusted   wire.Keys
		statement wire.KeyStatement
		want      wire.Keys // nil: BadSignature
	}{
		{"the old key introduces the new", wire.Keys{old}, statement(false), wire.Keys{new, old}},
		{"said again", wire.Keys{new, old}, statement(false), wire.Keys{new, old}},
		{"who never knew the old key does not learn it", wire.Keys{new}, statement(false), wire.Keys{new}},
		{"the new key ends the old", wire.Keys{new, old}, statement(true), wire.Keys{new}},
		{"said to who knows", wire.Keys{new}, statement(true), wire.Keys{new}},
		{"who does not know the new key", wire.Keys{old}, statement(true), nil},
		{"a third, before the end of the first was heard", wire.Keys{new, old}, between(3, last, laterKey), wire.Keys{newest, new}},
		{"the old key does not end the new", wire.Keys{new, old}, alone(siteKey, laterKey), nil},
		{"the old key introduces nobody once there is a newer", wire.Keys{new, old}, between(3, last, siteKey), nil},
		{"the newest key names whom it likes to follow it", wire.Keys{new}, between(3, siteKey, laterKey), wire.Keys{old, new}},
		{"strangers", wire.Keys{old}, between(3, last, laterKey), nil},
		{"nobody is trusted", nil, statement(false), nil},
	} {
		got, err := c.trusted.Extend(c.statement)
		if !slices.Equal(got, c.want) || (c.want == nil) != (wire.ReasonOf(err) == wire.BadSignature) {
			t.Errorf("%s: %x, %v", c.name, got, err)
		}
	}
}

func TestAStatementIsSignedByEachOfItsKeys(t *testing.T) {
	for name, change := range map[string]func(*wire.KeyStatement){
		"another sequence":                  func(s *wire.KeyStatement) { s.Sequence++ },
		"another new key":                   func(s *wire.KeyStatement) { s.Newest[3] ^= 1 },
		"the new key has not signed":        func(s *wire.KeyStatement) { s.ByNewest[9] ^= 1 },
		"the old key has not signed":        func(s *wire.KeyStatement) { s.ByFormer[9] ^= 1 },
		"a signature that says another end": func(s *wire.KeyStatement) { s.Alone = true },
	} {
		s := statement(false)
		change(&s)
		if _, err := (wire.Keys{publicOf(siteKey)}).Extend(s); wire.ReasonOf(err) != wire.BadSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(statement(false).Append(nil)); n != wire.MaxKeyStatement {
		t.Errorf("the longest has %d bytes", n)
	}
}

func TestVerifiedByAnyKey(t *testing.T) {
	c := certificate()
	at := func(unix int64) func(ed25519.PublicKey) error {
		return func(k ed25519.PublicKey) error { return c.Verify(k, time.Unix(unix, 0)) }
	}
	both := wire.Keys{publicOf(laterKey), publicOf(siteKey)}
	if err := both.Verified(at(c.NotBefore)); err != nil {
		t.Error(err)
	}
	if err := both.Verified(at(c.NotAfter + 1)); wire.ReasonOf(err) != wire.Expired {
		t.Error(err)
	}
	for _, k := range []wire.Keys{nil, both[:1]} {
		if err := k.Verified(at(c.NotBefore)); wire.ReasonOf(err) != wire.BadSignature {
			t.Errorf("%x: %v", k, err)
		}
	}
}
