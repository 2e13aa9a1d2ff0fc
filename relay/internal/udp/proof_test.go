package udp

import (
	"testing"

	"assimilation/wire"
)

// TestEachIsAnsweredByTheKeyItKnows tries all hints at a relay of which the site's key
// was never replaced, is being, and was.
func TestEachIsAnsweredByTheKeyItKnows(t *testing.T) {
	old, next := [32]byte{1}, [32]byte{2}
	byOld, byNext := wire.Certificate{NotAfter: 1}, wire.Certificate{NotAfter: 2}
	hints := map[string][8]byte{"none": {}, "old": wire.SiteHint(old[:]), "next": wire.SiteHint(next[:]), "another site's": {9}}
	for name, c := range map[string]struct {
		proof   Proof
		answers map[string]int64 // by which key; negative: and the hint is retired
	}{
		"one key":        {Proof{Certificate: byOld}, map[string]int64{"none": 1, "old": 1, "next": 1, "another site's": 1}},
		"under way":      {Proof{byOld, &byNext, &wire.KeyStatement{Newest: next, Former: old}}, map[string]int64{"none": 1, "old": 1, "next": 2, "another site's": 1}},
		"the next alone": {Proof{byNext, nil, &wire.KeyStatement{Newest: next, Former: old, Alone: true}}, map[string]int64{"none": 2, "old": -2, "next": 2, "another site's": 2}},
	} {
		g := newTested(t)
		g.SetProof(c.proof)
		for hint, want := range c.answers {
			reply := g.proof.Load().answer(wire.Announce{SiteHint: hints[hint], Nonce: [8]byte{7}})
			got := reply.Certificate.NotAfter
			if reply.Flags == wire.HintRetired {
				got = -got
			}
			if got != want || reply.Nonce != [8]byte{7} {
				t.Errorf("%s, hint %s: %d, want %d", name, hint, got, want)
			}
		}
	}
}
