// Package announce asks for a relay and judges the answers: only one with a
// nonce of ours and a certificate that the probe's own site signed counts.
//
// It is a pure state machine: no socket, no clock.
package announce

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"

	"assimilation/wire"
)

// The pause between two announces doubles from MinPause to MaxPause.
const (
	MinPause = 500 * time.Millisecond
	MaxPause = 30 * time.Second
)

// remembered is how many announces may still be answered: a reply that is
// slower than three repetitions is not the relay to have.
const remembered = 4

// Why a reply was not accepted.
var (
	ErrNonce  = errors.New("announce reply to a question that was not asked")
	ErrNoSite = errors.New("announce reply, but this probe knows no site to check it against")
)

// WrongSite says that a relay answered whose certificate another site signed.
type WrongSite struct {
	Relay [wire.IDSize]byte
	// HintRetired: the relay says that the key was its site's once. Anybody can say so.
	HintRetired bool
}

func (e *WrongSite) Error() string {
	return fmt.Sprintf("relay %x is of another site, or its certificate is forged", e.Relay)
}

// Announcer makes announces and judges the replies.
type Announcer struct {
	fingerprint [32]byte
	site        wire.Keys // none: no site is known
	random      io.Reader
	nonces      [remembered][8]byte
	asked       int
}

// New returns an announcer for a probe's public key. The keys are those of the pinned
// site or of the token; none if the probe has neither.
func New(public [32]byte, site wire.Keys, random io.Reader) *Announcer {
	return &Announcer{fingerprint: wire.Fingerprint(public), site: site, random: random}
}

// Ask makes the next announce. A hint at the newest of the site's keys makes a relay
// that has a certificate by each choose the right one.
func (a *Announcer) Ask(reason wire.Reason, hinted bool) ([]byte, error) {
	packet := wire.Announce{Reason: reason, Fingerprint: a.fingerprint}
	if hinted && len(a.site) > 0 {
		packet.SiteHint = wire.SiteHint(a.site[0][:])
	}
	if _, err := io.ReadFull(a.random, packet.Nonce[:]); err != nil {
		return nil, fmt.Errorf("drawing a nonce: %w", err)
	}
	a.nonces[a.asked%remembered] = packet.Nonce
	a.asked++
	return packet.Append(make([]byte, 0, wire.AnnounceSize)), nil
}

// Accept judges a reply. It returns the certificate of a relay of our site, or
// why not: ErrNonce, ErrNoSite, *WrongSite, or a *wire.Error.
func (a *Announcer) Accept(datagram []byte, now time.Time) (wire.Certificate, error) {
	reply, err := wire.ParseAnnounceReply(datagram)
	if err != nil {
		return wire.Certificate{}, err
	}
	if !a.expects(reply.Nonce) {
		return wire.Certificate{}, ErrNonce
	}
	if len(a.site) == 0 {
		return wire.Certificate{}, ErrNoSite
	}
	err = a.site.Verified(func(key ed25519.PublicKey) error { return reply.Certificate.Verify(key, now) })
	if err != nil && wire.ReasonOf(err) == wire.BadSignature {
		return wire.Certificate{}, &WrongSite{reply.Certificate.Relay, reply.Flags&wire.HintRetired != 0}
	}
	return reply.Certificate, err
}

func (a *Announcer) expects(nonce [8]byte) bool {
	for _, n := range a.nonces[:min(a.asked, remembered)] {
		if n == nonce {
			return true
		}
	}
	return false
}

// Backoff is the pause between tries.
type Backoff struct{ pause time.Duration }

// Next doubles the pause from MinPause to MaxPause and takes it within half
// and one and a half of that; random is in [0, 1).
func (b *Backoff) Next(random float64) time.Duration {
	if b.pause == 0 {
		b.pause = MinPause
	} else {
		b.pause = min(2*b.pause, MaxPause)
	}
	return time.Duration(float64(b.pause) * (0.5 + random))
}

// Reset starts over.
func (b *Backoff) Reset() { b.pause = 0 }
