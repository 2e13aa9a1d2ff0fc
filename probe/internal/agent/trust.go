package agent

import (
	"crypto/ed25519"
	"slices"
	"time"

	"assimilation/probe/internal/state"
	"assimilation/wire"
)

// trust reports why a relay is not to be talked to: its certificate is not of this
// probe's site, not valid now, or the site has revoked it.
func (a *Agent) trust(c wire.Certificate, now time.Time) error {
	keys, _ := a.trusted()
	if err := keys.Verified(func(key ed25519.PublicKey) error { return c.Verify(key, now) }); err != nil {
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
	r := a.Home.Revocation()
	if keys, _ := a.trusted(); r == nil || keys.Verified(r.Verify) != nil {
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
	keys, _ := a.trusted()
	if err == nil {
		err = keys.Verified(r.Verify)
	}
	if err != nil {
		return wire.ReasonOf(err)
	}
	// The same list by the newest key must be there when the former is good no more.
	known := a.revocation()
	again := known != nil && r.At == known.At && slices.Equal(r.Relays, known.Relays) && keys[:1].Verified(r.Verify) == nil
	if known != nil && !supersedes(r, *known) && !again {
		return wire.Accepted
	}
	if err := a.Home.SaveRevocation(r); err != nil {
		a.complain("which relays are revoked cannot be written", "error", err)
		return wire.NotDurable
	}
	if again {
		return wire.Accepted
	}
	a.Log.Info("the site has revoked relays", "relays", len(r.Relays), "last", time.UnixMilli(r.At).UTC())
	return wire.Accepted
}

// rekeyed takes the site's word, brought by a relay, which keys are its own. It is on
// disk before the relay hears that it was taken. An older word than the one known
// changes nothing.
func (a *Agent) rekeyed(m *wire.SiteKeys) wire.Reason {
	s, err := wire.ParseKeyStatement(m.Statement)
	keys, known := a.trusted()
	if err == nil && s.Sequence <= known {
		return wire.Accepted
	}
	if err == nil {
		keys, err = keys.Extend(s)
	}
	if err != nil {
		return wire.ReasonOf(err)
	}
	pin := a.Home.Pin()
	if pin == nil {
		return wire.NotEnrolled
	}
	// The pin first: with the statement of before, the oldest key that is good now is
	// good then, too.
	err = a.Home.SavePin(state.Pin{Site: keys.Oldest(), Host: pin.Host})
	if err == nil {
		err = a.Home.SaveSiteKeys(s)
	}
	if err != nil {
		a.complain("the site's keys cannot be written", "error", err)
		return wire.NotDurable
	}
	a.Log.Info("the site has another key", "sequence", s.Sequence, "alone", s.Alone)
	return wire.Accepted
}
