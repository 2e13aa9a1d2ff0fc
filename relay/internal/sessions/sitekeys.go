package sessions

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/wire"
)

// The probes of a large site are not all told in one breath: others wait for the
// table meanwhile.
const (
	tellBatch = 1000
	tellPause = 100 * time.Millisecond
	// keysTime is how long a probe may take to write the site's keys down; the next
	// Hello tells it again.
	keysTime = time.Minute
)

// SiteWord is what the site has signed for its probes.
type SiteWord struct {
	// Keys is the newest statement of the site's keys; nil: there is one key.
	Keys *wire.KeyStatement
	// Revocation says whom the site has revoked, encoded; nil: nobody.
	// NextRevocation is the same by the key that replaces the site's.
	Revocation, NextRevocation []byte
}

// SetSiteWord tells the probes, those that come later too. What it leaves out takes
// nothing back.
func (t *Table) SetSiteWord(word SiteWord) {
	t.mail.post(func() {
		had := t.word
		if word.Keys != nil && t.sequence() < word.Keys.Sequence {
			t.word.Keys = word.Keys
		}
		if len(word.Revocation) > 0 {
			t.word.Revocation, t.word.NextRevocation = word.Revocation, word.NextRevocation
		}
		if had.Keys != t.word.Keys || !bytes.Equal(had.Revocation, t.word.Revocation) || !bytes.Equal(had.NextRevocation, t.word.NextRevocation) {
			t.words++
			t.passOn(t.words, slices.Collect(maps.Keys(t.byID)))
		}
	})
}

// sequence is that of the newest statement of the site's keys; 0: there is none.
func (t *Table) sequence() uint64 {
	if t.word.Keys == nil {
		return 0
	}
	return t.word.Keys.Sequence
}

// newest reports whether a host's probe takes what the newest of the site's keys has
// signed. The others take what the one before has.
func (t *Table) newest(h *host) bool { return t.word.Keys != nil && h.siteKeys >= t.word.Keys.Sequence }

func (t *Table) passOn(words uint64, hosts []tenancy.HostID) {
	if words != t.words {
		return // there is a newer word
	}
	now := time.Now()
	for _, id := range hosts[:min(len(hosts), tellBatch)] {
		if h := t.byID[id]; h != nil && h.peer != nil {
			t.tellWord(now, h)
		}
	}
	if rest := hosts[min(len(hosts), tellBatch):]; len(rest) > 0 {
		time.AfterFunc(tellPause-time.Since(now), func() { t.mail.post(func() { t.passOn(words, rest) }) })
	}
}

// tellWord tells a host that has a session. Which keys are good comes first: what the
// new one has signed is told when the probe knows it.
func (t *Table) tellWord(now time.Time, h *host) {
	t.tellRevocation(h)
	if t.word.Keys == nil || t.newest(h) {
		return
	}
	p, sequence := h.peer, t.sequence()
	m := &wire.SiteKeys{Statement: t.word.Keys.Append(nil)}
	id, err := p.link.Send(now, m)
	if err != nil {
		t.report(p, "queueing "+name(m), wire.Busy, err.Error())
		return
	}
	t.touch(p)
	t.await(p, &wait{id: id, done: func(err error) { t.toldKeys(p, h, sequence, err) }}, now.Add(keysTime))
}

func (t *Table) toldKeys(p *peer, h *host, sequence uint64, err error) {
	if declined, ok := errors.AsType[*Declined](err); ok {
		t.report(p, "the probe did not take the site's keys", declined.Reason, "")
	}
	if err != nil {
		return
	}
	t.submit(func(tx *store.Tx) error { return tx.KnowsSiteKeys(h.id, sequence, time.Now().UnixMilli()) }, func(err error) {
		if err != nil {
			t.report(p, "noting that a host knows the site's keys", wire.NotDurable, err.Error())
			return
		}
		h.siteKeys = max(h.siteKeys, sequence)
		if h.peer == p {
			t.tellRevocation(h)
		}
	})
}

// tellRevocation tells a host whom the site has revoked, by the key that it knows;
// each once in a session.
func (t *Table) tellRevocation(h *host) {
	encoded := t.word.Revocation
	if t.newest(h) && len(t.word.NextRevocation) > 0 {
		encoded = t.word.NextRevocation
	}
	if len(encoded) == 0 || bytes.Equal(h.peer.revocation, encoded) {
		return
	}
	h.peer.revocation = encoded
	t.send(h.peer, &wire.Revoke{Revocation: encoded})
}
