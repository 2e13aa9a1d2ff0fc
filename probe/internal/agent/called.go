package agent

import (
	"crypto/rand"
	"errors"
	"time"

	"assimilation/probe/internal/udp"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

// A relay that has lost its session, by a restart for instance, or that takes over
// from another of its site, calls the probes that it knows: it begins the handshake
// itself, with its certificate as payload. The probe answers any relay that its own
// site has certified. Such a message may be a replay, so nothing changes before a
// packet opens under the new session; then that replaces the one there was.

const (
	callLife  = 10 * time.Second       // of a call that was answered and does not go on
	callPause = 200 * time.Millisecond // between two answers: each costs four scalar multiplications
)

// Why a call was not answered.
var (
	errCallForged  = errors.New("call of a relay that this probe's site has not certified")
	errCallTooSoon = errors.New("calls come too fast")
)

// call is a session that a relay has begun.
type call struct {
	link        *link.Link
	index       uint32
	certificate wire.Certificate
	at          time.Time
}

// pickUp looks whether a datagram is a heartbeat or belongs to a call. taken: nobody else needs to
// look at it; live: the call has become a session, for Run to take over.
func (a *Agent) pickUp(d udp.Datagram, now time.Time) (taken, live bool) {
	switch t, err := wire.PacketType(d.Data); {
	case err != nil:
		return false, false
	case t == wire.PacketHeartbeat:
		if err := a.heart.Receive(now, d.Data); err != nil {
			a.drop(err)
		}
		return true, false
	case t == wire.PacketHandshake1:
		if err := a.answerCall(d, now); err != nil {
			a.drop(err)
		}
		return true, false
	case t != wire.PacketTransport || a.ringing == nil:
		return false, false
	}
	c := a.ringing
	if index, err := wire.ReceiverIndex(d.Data); err != nil || index != c.index {
		return false, false
	}
	if now.Sub(c.at) > callLife {
		a.ringing = nil
		a.drop(errStray)
		return true, false
	}
	events, err := c.link.Receive(now, d.Data)
	if err != nil {
		a.drop(err)
		return true, false
	}
	for _, e := range events {
		if r, ok := e.(link.Received); ok {
			c.link.Refuse(r.ID, wire.Malformed) // the first word is the probe's
		}
	}
	a.ringing = nil
	a.called = &called{link: c.link, relay: relay{d.From, c.certificate}}
	a.Log.Info("a relay has begun a new session", "address", d.From.String())
	return true, true
}

// answerCall answers a Handshake1.
func (a *Agent) answerCall(d udp.Datagram, now time.Time) error {
	if !handshake.CheckMAC1(a.Key.Public, d.Data) {
		return handshake.ErrMAC
	}
	if a.pinned() == nil {
		return errCallForged
	}
	if now.Sub(a.answeredAt) < callPause {
		return errCallTooSoon
	}
	a.answeredAt = now
	index := randomIndex()
	s, reply, key, payload, err := handshake.Respond(a.Key, index, d.Data, nil, rand.Reader)
	if err != nil {
		return err
	}
	certificate, err := wire.ParseCertificate(payload)
	if err != nil {
		return err
	}
	if certificate.Key != key {
		return errCallForged
	}
	if err := a.trust(certificate, now); err != nil {
		return err
	}
	a.ringing = &call{link.New(s, now, a.Random), index, certificate, now}
	a.transmit(d.From, reply)
	return nil
}

// called is a call that has become a session.
type called struct {
	link  *link.Link
	relay relay
}

// takeCall hands over the session that a relay began, if there is one.
func (a *Agent) takeCall() *link.Link {
	c := a.called
	if c == nil {
		return nil
	}
	a.called, a.relay = nil, &c.relay
	return c.link
}
