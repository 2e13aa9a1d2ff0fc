package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"assimilation/probe/internal/ledger"
	"assimilation/wire"
)

// revocation of relays of the site, the newest second of it.
func (s *testSite) revocation(second int64, relays ...*testSite) *wire.Revoke {
	r := wire.Revocation{At: 1000 * second}
	for _, other := range relays {
		r.Relays = append(r.Relays, other.certificate().Relay)
	}
	return &wire.Revoke{Revocation: r.Sign(s.key).Append(nil)}
}

// Nobody whom the site has revoked gets a probe: not by calling it, not by a
// redirect, not by answering its announce.
func TestRevokedRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		other := site.twin(t)
		other.call = true
		forged := newSite(t).revocation(9, site)
		site.revoke = []*wire.Revoke{site.revocation(2, other), site.revocation(1), forged}
		site.redirect = redirectTo(otherRelay, other.certificate())
		stopSite := site.start(t, n, relayAddress)
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		site.until(t, "the fact, and the answers to four orders", 5*time.Second, func() bool {
			return len(site.facts) == 1 && site.adopted == 2 && site.refused == 2 // forged, and the redirect
		})
		defer other.start(t, n, otherRelay)() // it calls at once
		synctest.Wait()
		stopSite()
		h.record(factOf(t, "", "two"))
		time.Sleep(10 * time.Minute) // alone with the revoked one, which answers every announce
		other.look(func() {
			if other.sessions != 0 || len(other.log) != 0 {
				t.Errorf("the revoked relay has had %d sessions: %v", other.sessions, other.log)
			}
		})
		if h.home.revoked == nil || h.home.revoked.At != 2000 {
			t.Errorf("on disk: %v", h.home.revoked)
		}
		if s, err := h.agent.Status(t.Context()); err != nil || s.Dropped["revoked"] == 0 {
			t.Errorf("status %+v, %v", s, err)
		}
		defer site.start(t, n, relayAddress)()
		site.until(t, "the other fact", 5*time.Minute, func() bool { return site.bodies[ledger.Key{Kind: "a"}] == `{"text":"two"}` })
	})
}
