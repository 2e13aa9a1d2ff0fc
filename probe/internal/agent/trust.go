package agent

import (
	"slices"
	"time"

	"assimilation/wire"
)

// trust reports why a relay is not to be talked to: its certificate is not of this
// probe's site, not valid now, or the site has revoked it.
func (a *Agent) trust(c wire.Certificate, now time.Time) error {
	if err := c.Verify(a.site()[:], now); err != nil {
		return err
	}
	if r := a.revocation(); r != nil {
		return r.Allows(c)
	}
	return nil
}

// revocation is the newest that this probe's site has signed; nil: none. What is on
// disk may be of a site that the probe has left.
func (a *Agent) revocation() *wire.Revocation {
	r, site := a.Home.Revocation(), a.site()
	if r == nil || site == nil || r.Verify(site[:]) != nil {
		return nil
	}
	return r
}

// supersedes reports whether a revocation is newer than the one known. Of two relays
// that are revoked at once the earlier may be listed last: then the list grows, and its
// time stays.
func supersedes(r, known wire.Revocation) bool {
	if r.At != known.At {
		return r.At > known.At
	}
	return len(r.Relays) > len(known.Relays) &&
		!slices.ContainsFunc(known.Relays, func(id [wire.IDSize]byte) bool { return !slices.Contains(r.Relays, id) })
}

// revoked takes the site's word, brought by a relay, that some of its relays are no
// more to be trusted. An older word than the one known changes nothing, so that
// nobody can take a revocation back with a recorded one.
func (a *Agent) revoked(m *wire.Revoke) wire.Reason {
	r, err := wire.ParseRevocation(m.Revocation)
	if err == nil {
		err = r.Verify(a.site()[:])
	}
	if err != nil {
		return wire.ReasonOf(err)
	}
	if known := a.revocation(); known != nil && !supersedes(r, *known) {
		return wire.Accepted
	}
	if err := a.Home.SaveRevocation(r); err != nil {
		a.complain("which relays are revoked cannot be written", "error", err)
		return wire.NotDurable
	}
	a.Log.Info("the site has revoked relays", "relays", len(r.Relays), "last", time.UnixMilli(r.At).UTC())
	return wire.Accepted
}
