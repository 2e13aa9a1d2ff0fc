package agent_test

import (
	"crypto/ed25519"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/probe/internal/agent"
	"assimilation/tenancy"
	"assimilation/wire"
)

// follow is the site's word that a key follows its own, or that it stands alone.
func (s *testSite) follow(sequence uint64, next *testSite, alone bool) *wire.SiteKeys {
	statement := wire.KeyStatement{Sequence: sequence, Alone: alone, Newest: next.token.Pin, Former: s.token.Pin}
	return &wire.SiteKeys{Statement: statement.Sign(next.key, s.key).Append(nil)}
}

// A site's key is replaced: the probe goes from relays by the one key to relays by the
// other without another token, and the old one opens nothing to it any more.
func TestSiteKeyIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, old, next := newNetwork(), newSite(t), newSite(t)
		next.hosts, next.relay = old.hosts, old.relay
		forged := newSite(t)
		old.revoke = []*wire.Revoke{old.revocation(3, forged)}
		old.keys = []*wire.SiteKeys{old.follow(5, next, false), forged.follow(6, newSite(t), false), old.follow(4, forged, false)}
		stopOld := old.start(t, n, relayAddress)
		h := boot(t, n, &old.token, nil)
		defer h.stop()
		old.until(t, "the word of another key taken, an older one left, a stranger's refused", 5*time.Second, func() bool {
			return old.adopted == 3 && old.refused == 1
		})
		synctest.Wait()
		if h.home.keys == nil || h.home.keys.Sequence != 5 || h.home.pin.Site != old.token.Pin {
			t.Fatalf("on disk: %+v beside the pin %x", h.home.keys, h.home.pin.Site)
		}

		stopOld() // the same relay, by the next key
		next.keys = []*wire.SiteKeys{old.follow(5, next, false)}
		next.revoke = []*wire.Revoke{next.revocation(3, forged)}
		stopNext := next.start(t, n, relayAddress)
		next.until(t, "a session by the next key, and the revocation by it", 5*time.Minute, func() bool { return next.adopted == 2 })
		next.look(func() {
			if next.uses != 0 || next.hello.SiteKeys != 5 {
				t.Errorf("%d uses of a token; the probe says that it knows statement %d", next.uses, next.hello.SiteKeys)
			}
			if hint := next.announces[len(next.announces)-1].SiteHint; hint != wire.SiteHint(next.token.Pin[:]) {
				t.Errorf("the announce hints at %x", hint)
			}
		})
		next.look(func() { next.keys = []*wire.SiteKeys{old.follow(6, next, true), old.follow(5, next, false)} })
		stopNext()
		defer next.start(t, n, relayAddress)()
		next.until(t, "the old key's end, and its recorded beginning", 5*time.Minute, func() bool { return next.adopted == 5 })
		synctest.Wait()
		if h.home.keys.Sequence != 6 || !h.home.keys.Alone || h.home.pin.Site != next.token.Pin {
			t.Fatalf("on disk: %+v beside the pin %x", h.home.keys, h.home.pin.Site)
		}
		if r := h.home.revoked; r == nil || r.Verify(next.key.Public().(ed25519.PublicKey)) != nil {
			t.Errorf("who is revoked is not known by the key that is left: %+v", r)
		}
		before := old.sessions
		old.call = true
		defer old.start(t, n, otherRelay)() // by the old key: it calls, and answers announces
		time.Sleep(10 * time.Minute)
		old.look(func() {
			if old.sessions != before {
				t.Errorf("the old key has got the probe %d times", old.sessions-before)
			}
		})
	})
}

// A probe that was away while the key was replaced says why it does not come back, and
// does with a token by the new key.
func TestAwayWhileTheSiteKeyWasReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, old, next := newNetwork(), newSite(t), newSite(t)
		stopOld := old.start(t, n, relayAddress)
		h := boot(t, n, &old.token, nil)
		old.until(t, "a session", 5*time.Second, func() bool { return old.count("hello") == 1 })
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		stopOld()
		next.retired = wire.SiteHint(old.token.Pin[:])
		defer next.start(t, n, relayAddress)()
		for _, c := range []struct {
			token  *tenancy.Token
			enrols bool
		}{{&old.token, false}, {&next.token, true}} {
			if c.enrols {
				h.home.pin = nil // assim-probe enrol --move
			}
			again := boot(t, n, c.token, func(config *agent.Config) { config.Home, config.Key = h.home, h.key })
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := h.home.pin.Site == next.token.Pin; got != c.enrols {
				t.Errorf("enrolled: %v", got)
			}
			if said := again.log.count(wire.KeyRetired.String()); (said == 1) == c.enrols {
				t.Errorf("it said %d times that the key is retired", said)
			}
			if err := again.stop(); err != nil {
				t.Fatal(err)
			}
		}
		last := next.announces[0]
		for _, a := range next.announces {
			if a.Reason != wire.Accepted {
				last = a
			}
		}
		if last.Reason != wire.KeyRetired {
			t.Errorf("the relay heard %v", last.Reason)
		}
	})
}
