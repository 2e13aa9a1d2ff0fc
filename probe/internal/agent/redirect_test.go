package agent_test

import (
	"crypto/ed25519"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/wire"
	"assimilation/wire/handshake"

	cryptorand "crypto/rand"
)

const otherRelay = "10.0.0.2:1984"

// twin is another relay of the same site, which knows the same hosts. The token
// leads to the first: an announce to everybody might find either.
func (s *testSite) twin(t *testing.T) *testSite {
	t.Helper()
	other := newSite(t)
	s.token.Address = relayAddress
	other.key, other.hosts = s.key, s.hosts
	return other
}

func redirectTo(address string, c wire.Certificate) *wire.Redirect {
	return &wire.Redirect{Address: wire.AppendAddress(nil, netip.MustParseAddrPort(address)), Certificate: c.Append(nil)}
}

func TestRedirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		other := site.twin(t)
		site.ring, other.ring = ringOf(1, peerAddress), ringOf(1, peerAddress)
		site.redirect = redirectTo(otherRelay, other.certificate())
		p := newNeighbour(n)
		defer site.start(t, n, relayAddress)()
		defer other.start(t, n, otherRelay)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		other.until(t, "facts at the other relay", 5*time.Second, func() bool { return len(other.facts) == 1 })
		p.beat(t, 5, 0)
		s, err := h.agent.Status(t.Context())
		if err != nil || s.Relay != otherRelay || !s.Settled || s.Neighbours[0].State != "heard" {
			t.Errorf("status %+v, %v", s, err)
		}
		site.look(func() {
			if site.adopted != 2 || site.goodbyes != 0 || site.sessions != 1 {
				t.Errorf("%d orders acknowledged, %d goodbyes, %d sessions", site.adopted, site.goodbyes, site.sessions)
			}
		})
	})
}

// A relay that names an impossible term takes the probe from no other for good.
func TestAnImpossibleTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		other := site.twin(t)
		site.term, site.redirect = 1<<63, redirectTo(otherRelay, other.certificate())
		defer site.start(t, n, relayAddress)()
		defer other.start(t, n, otherRelay)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		other.until(t, "facts at the other relay", 5*time.Second, func() bool { return len(other.facts) == 1 })
		other.look(func() {
			if other.hello.Term != wire.MaxTerm {
				t.Errorf("the probe says that it heard of term %d", other.hello.Term)
			}
		})
	})
}

// Where the other relay does not answer, or is none of the site, the session stays.
func TestRedirectToNobody(t *testing.T) {
	_, foreign, err := ed25519.GenerateKey(cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change            func(*wire.Certificate)
		adopted, refusals int
	}{
		"nobody there":         {func(*wire.Certificate) {}, 2, 0},
		"of another site":      {func(c *wire.Certificate) { *c = c.Sign(foreign) }, 1, 1},
		"signature is damaged": {func(c *wire.Certificate) { c.Signature[3] ^= 1 }, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, site := newNetwork(), newSite(t)
			certificate := site.twin(t).certificate()
			c.change(&certificate)
			site.ring = ringOf(1, peerAddress)
			site.redirect = redirectTo(otherRelay, certificate)
			p := newNeighbour(n)
			defer site.start(t, n, relayAddress)()
			h := boot(t, n, &site.token, nil)
			defer h.stop()
			p.beat(t, 15, 0)
			if len(p.heard) < 14 {
				t.Errorf("%s: %d beats", name, len(p.heard))
			}
			h.record(factOf(t, "", "one"))
			site.until(t, "fact", 2*time.Second, func() bool { return len(site.facts) == 1 })
			site.look(func() {
				if site.sessions != 1 || site.adopted != c.adopted || site.refused != c.refusals {
					t.Errorf("%s: %d sessions, %d orders acknowledged, %d refused", name, site.sessions, site.adopted, site.refused)
				}
			})
		})
	}
}

// Another relay of the site that calls has the probe from then on.
func TestAnotherRelayTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		other := site.twin(t)
		site.ring, other.ring = ringOf(7, peerAddress), ringOf(1, peerAddress)
		other.call = true
		p := newNeighbour(n)
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		site.until(t, "fact and ring", 5*time.Second, func() bool { return len(site.facts) == 1 && site.adopted == 1 })
		p.beat(t, 3, 0)
		defer other.start(t, n, otherRelay)()
		other.until(t, "fact and ring at the other", time.Second, func() bool { return len(other.facts) == 1 && other.adopted == 1 })
		p.beat(t, 3, 0)
		s, err := h.agent.Status(t.Context())
		if err != nil || s.Relay != otherRelay || !s.Settled || s.Neighbours[0].State != "heard" || s.Neighbours[0].Lost != 0 {
			t.Errorf("status %+v, %v", s, err)
		}
		// A message 1 of the first relay, recorded, brings nobody back.
		_, first, err := handshake.Initiate(site.relay, h.key.Public, 9, site.certificate().Append(nil), cryptorand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		mallory := n.open("10.0.0.66:1984")
		for range 20 {
			mallory.Send(netip.MustParseAddrPort(probeAddress), first)
			time.Sleep(time.Second)
		}
		if s, err := h.agent.Status(t.Context()); err != nil || s.Relay != otherRelay || !s.Settled {
			t.Errorf("status %+v, %v", s, err)
		}
	})
}
