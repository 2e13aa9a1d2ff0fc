package announce_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"assimilation/probe/internal/announce"
	"assimilation/wire"
)

var now = time.Unix(1_800_000_000, 0)

func siteKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func publicOf(k ed25519.PrivateKey) wire.Keys {
	return wire.Keys{[32]byte(k.Public().(ed25519.PublicKey))}
}

func certificate(from, to time.Duration, k ed25519.PrivateKey) wire.Certificate {
	return wire.Certificate{Key: [32]byte{7}, NotBefore: now.Add(from).Unix(), NotAfter: now.Add(to).Unix()}.Sign(k)
}

func TestAccept(t *testing.T) {
	ours, theirs := siteKey(t), siteKey(t)
	good := certificate(-time.Hour, time.Hour, ours)
	for _, c := range []struct {
		name        string
		site        wire.Keys
		certificate wire.Certificate
		reason      wire.Reason
	}{
		{"ours", publicOf(ours), good, wire.Accepted},
		{"expired", publicOf(ours), certificate(-2*time.Hour, -time.Hour, ours), wire.Expired},
		{"not yet valid", publicOf(ours), certificate(time.Hour, 2*time.Hour, ours), wire.ClockSkew},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := announce.New([32]byte{1}, c.site, rand.Reader)
			_, err := a.Accept(reply(t, a, c.certificate), now)
			if wire.ReasonOf(err) != c.reason {
				t.Errorf("%v, want %v", err, c.reason)
			}
		})
	}
	t.Run("another site", func(t *testing.T) {
		a := announce.New([32]byte{1}, publicOf(ours), rand.Reader)
		_, err := a.Accept(reply(t, a, certificate(-time.Hour, time.Hour, theirs)), now)
		if _, ok := errors.AsType[*announce.WrongSite](err); !ok {
			t.Errorf("%v, want WrongSite", err)
		}
	})
	t.Run("no site", func(t *testing.T) {
		a := announce.New([32]byte{1}, nil, rand.Reader)
		if _, err := a.Accept(reply(t, a, good), now); !errors.Is(err, announce.ErrNoSite) {
			t.Errorf("%v, want ErrNoSite", err)
		}
	})
	t.Run("not asked", func(t *testing.T) {
		a := announce.New([32]byte{1}, publicOf(ours), rand.Reader)
		b := wire.AnnounceReply{Certificate: good}.Append(nil) // the zero nonce, before any question
		if _, err := a.Accept(b, now); !errors.Is(err, announce.ErrNonce) {
			t.Errorf("%v, want ErrNonce", err)
		}
	})
	t.Run("too late", func(t *testing.T) {
		a := announce.New([32]byte{1}, publicOf(ours), rand.Reader)
		late := reply(t, a, good)
		for range 4 {
			reply(t, a, good)
		}
		if _, err := a.Accept(late, now); !errors.Is(err, announce.ErrNonce) {
			t.Errorf("%v, want ErrNonce", err)
		}
	})
}

func reply(t *testing.T, a *announce.Announcer, c wire.Certificate) []byte {
	t.Helper()
	packet, err := a.Ask(wire.Accepted, true)
	if err != nil {
		t.Fatal(err)
	}
	question, err := wire.ParseAnnounce(packet)
	if err != nil {
		t.Fatal(err)
	}
	return wire.AnnounceReply{Nonce: question.Nonce, Certificate: c}.Append(nil)
}

func TestAsk(t *testing.T) {
	k := siteKey(t)
	a := announce.New([32]byte{1}, publicOf(k), rand.Reader)
	hinted, err := a.Ask(wire.UsedUp, true)
	if err != nil {
		t.Fatal(err)
	}
	first, err := wire.ParseAnnounce(hinted)
	if err != nil || first.Reason != wire.UsedUp || first.SiteHint != wire.SiteHint(k.Public().(ed25519.PublicKey)) || first.Fingerprint != wire.Fingerprint([32]byte{1}) {
		t.Errorf("%+v, %v", first, err)
	}
	open, err := a.Ask(wire.Accepted, false)
	if err != nil {
		t.Fatal(err)
	}
	second, err := wire.ParseAnnounce(open)
	if err != nil || second.SiteHint != [8]byte{} || second.Nonce == first.Nonce {
		t.Errorf("%+v, %v", second, err)
	}
}

func TestBackoff(t *testing.T) {
	var b announce.Backoff
	for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
		if got := b.Next(0.5); got != want {
			t.Errorf("pause %d is %v, want %v", i, got, want)
		}
	}
	b.Reset()
	if low, high := b.Next(0), (&announce.Backoff{}).Next(0.999); low != 250*time.Millisecond || high < 740*time.Millisecond || high >= 750*time.Millisecond {
		t.Errorf("jitter from %v to %v", low, high)
	}
}
