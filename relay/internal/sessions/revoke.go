package sessions

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"assimilation/tenancy"
	"assimilation/wire"
)

// The probes of a large site are not all told in one breath: others wait for the
// table meanwhile.
const (
	revokeBatch = 1000
	revokePause = 100 * time.Millisecond
)

// SetRevocation tells the probes, those that come later too, whom the site has
// revoked: an encoded wire.Revocation. nil says nothing.
func (t *Table) SetRevocation(encoded []byte) {
	t.mail.post(func() {
		if len(encoded) == 0 || t.revocation != nil && bytes.Equal(t.revocation.Revocation, encoded) {
			return
		}
		t.revocation = &wire.Revoke{Revocation: encoded}
		t.passOn(t.revocation, slices.Collect(maps.Keys(t.byID)))
	})
}

func (t *Table) passOn(m *wire.Revoke, hosts []tenancy.HostID) {
	if m != t.revocation {
		return // there is a newer one
	}
	now := time.Now()
	for _, id := range hosts[:min(len(hosts), revokeBatch)] {
		if h := t.byID[id]; h != nil && h.peer != nil {
			t.send(h.peer, m)
		}
	}
	if rest := hosts[min(len(hosts), revokeBatch):]; len(rest) > 0 {
		time.AfterFunc(revokePause-time.Since(now), func() { t.mail.post(func() { t.passOn(m, rest) }) })
	}
}
