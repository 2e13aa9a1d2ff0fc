package agent

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"time"

	"assimilation/probe/internal/send"
	"assimilation/probe/internal/state"
	"assimilation/probe/internal/udp"
	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

const (
	goodbyeWithin = 2 * time.Second
	// After a refusal the pause doubles from firstPause to the limit of its
	// kind. An unknown token is often one that was minted a moment ago and is
	// on its way to the relay, so it begins like a refusal that passes.
	firstPause     = time.Second
	temporaryPause = 30 * time.Second
	permanentPause = 5 * time.Minute
	reconnectPause = 2 * time.Second // at most; spreads the probes of a restarted relay
)

// shakes are the waits for an answer to the handshake and its repetitions.
var shakes = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// bowl keeps the last cookie that a relay under load has given.
type bowl struct {
	relay  [32]byte
	cookie handshake.Cookie
	at     time.Time
}

// shake makes a session with a relay; nil if that does not answer. A busy relay
// may answer an earlier try while a later one is under way.
func (a *Agent) shake(ctx context.Context, r *relay) *link.Link {
	tries := map[uint32]*handshake.Initiator{}
	for _, patience := range shakes {
		index := randomIndex()
		initiator, packet, err := handshake.Initiate(a.Key, r.certificate.Key, index, nil, rand.Reader)
		if err != nil {
			a.complain("the relay's key cannot be used", "address", r.address.String(), "error", err)
			return nil
		}
		tries[index] = initiator
		if a.bowl.relay == r.certificate.Key && time.Since(a.bowl.at) < wire.CookieLife {
			packet = initiator.Packet(a.bowl.cookie)
		}
		a.transmit(r.address, packet)
		// Spread, so that probes that were turned away do not come back as one.
		patience = time.Duration(float64(patience) * (0.75 + 0.5*a.Random()))
		l, ended := a.shaken(ctx, r, initiator, tries, time.Now().Add(patience))
		if l != nil || ended {
			return l
		}
	}
	a.Log.Warn("relay announced itself but answers no handshake", "address", r.address.String())
	return nil
}

func (a *Agent) shaken(ctx context.Context, r *relay, initiator *handshake.Initiator, tries map[uint32]*handshake.Initiator, until time.Time) (l *link.Link, ended bool) {
	fed := false // the cookie was used: one that is not taken will not be the second time
	for {
		d, what := a.wait(ctx, until, nil)
		switch what {
		case stopped, wasCalled:
			return nil, true
		case elapsed:
			return nil, false
		case arrived:
			if t, err := wire.PacketType(d.Data); err == nil && t == wire.PacketCookieReply && !fed {
				cookie, err := initiator.OpenCookie(d.Data)
				if err != nil {
					a.drop(err)
					continue
				}
				fed = true
				a.bowl = bowl{r.certificate.Key, cookie, time.Now()}
				a.transmit(r.address, initiator.Packet(cookie))
				continue
			}
			if t, err := wire.PacketType(d.Data); err != nil || t != wire.PacketHandshake2 {
				if a.deliver(d); a.talk != nil {
					a.speak()
				}
				continue
			}
			index, err := wire.ReceiverIndex(d.Data)
			if err != nil || tries[index] == nil {
				a.drop(errStray)
				continue
			}
			s, _, err := tries[index].Finish(d.Data)
			if err != nil {
				a.drop(err)
				continue
			}
			return link.New(s, time.Now(), a.Random), false
		}
	}
}

func randomIndex() uint32 {
	var b [4]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return binary.BigEndian.Uint32(b[:])
}

// converse holds the conversation until it is over or ctx ends; then it says
// goodbye, so that a stop is not taken for a crash.
func (a *Agent) converse(ctx context.Context, l *link.Link) send.End {
	a.talk = send.New(l, a.Ledger, a.self(), a.outside(), a.Log, time.Now())
	a.since, a.redirect = time.Now(), nil
	a.heart.Session()
	defer func() { a.talk = nil }()
	var leaveBy time.Time // set once ctx has ended
	quiet := false
	for {
		if a.heart.RelayInDoubt() {
			a.talk.Doubt(time.Now())
		}
		wake := a.speak()
		if end := a.talk.Over(); end != nil {
			a.speak() // the last acknowledgement
			return *end
		}
		if a.move(ctx); a.called != nil && leaveBy.IsZero() {
			return send.End{Why: "another relay has this probe now"}
		}
		if !quiet && a.talk.Quiet() {
			quiet = true
			a.Quiet()
		}
		waiting := ctx
		if !leaveBy.IsZero() {
			waiting = context.WithoutCancel(ctx)
			if wake.After(leaveBy) {
				wake = leaveBy
			}
		}
		d, what := a.wait(waiting, wake, a.Ledger.Changed())
		switch what {
		case arrived:
			a.deliver(d)
		case wasCalled:
			if leaveBy.IsZero() {
				return send.End{Why: "relay has begun a new session"}
			}
			a.called = nil // too late: the probe is leaving
		case stopped:
			leaveBy = time.Now().Add(goodbyeWithin)
			a.heart.Leave(time.Now(), a.sendBeat)
			a.talk.Leave(time.Now(), a.Cause())
		case elapsed:
			if !leaveBy.IsZero() && !time.Now().Before(leaveBy) {
				return send.End{Why: "relay did not take the goodbye", Done: true}
			}
		}
	}
}

// speak sends what the conversation has to say, and returns when it wants to again.
func (a *Agent) speak() (wake time.Time) {
	datagrams, wake := a.talk.Step(time.Now())
	a.transmit(a.relay.address, datagrams...)
	return wake
}

// deliver gives a datagram to the session, if there is one.
func (a *Agent) deliver(d udp.Datagram) {
	if t, err := wire.PacketType(d.Data); err != nil || t != wire.PacketTransport || a.talk == nil {
		a.dropStray(d)
		return
	}
	if err := a.talk.Receive(time.Now(), d.Data); err != nil {
		a.drop(err)
	}
}

func (a *Agent) self() send.Self {
	self := send.Self{Hello: a.Hello, EnrolOnly: a.EnrolOnly}
	self.Hello.Listen = a.socket.StandIn()
	_, self.Hello.SiteKeys = a.trusted()
	if pin := a.Home.Pin(); pin != nil {
		self.Host = pin.Host
	}
	if t := a.token(); t != nil {
		self.Enrol = &wire.Enrol{TokenID: t.ID, Secret: t.Secret[:], HostName: a.Hello.HostName}
		if a.MachineID != nil {
			self.Enrol.MachineID = a.MachineID(t.Pin)
		}
	}
	return self
}

func (a *Agent) outside() send.Outside {
	return send.Outside{
		Pin: func(host tenancy.HostID) error {
			return a.Home.SavePin(state.Pin{Site: *a.pinned(), Host: host})
		},
		Configured: func(term uint64, kinds []string) {
			// No relay would be greeted any more by a term that none takes.
			a.Hello.Term = max(a.Hello.Term, min(term, wire.MaxTerm))
			a.said, a.stuck, a.refusals, a.forsaken = "", wire.Accepted, 0, false
			a.backoff.Reset()
			a.Allow(kinds)
		},
		Ring:     func(r *wire.Ring) { a.heart.Adopt(time.Now(), r, a.relay.address) },
		Redirect: a.redirected,
		Revoke:   a.revoked,
		SiteKeys: a.rekeyed,
		Report:   a.heart.Report,
		Reported: a.heart.Told,
		Random:   a.Random,
	}
}

// after decides how to go on after a conversation.
func (a *Agent) after(ctx context.Context, end send.End) {
	switch {
	case ctx.Err() != nil:
		return
	case end.Rekey && a.trust(a.relay.certificate, time.Now()) == nil:
		return // with the same relay, at once
	case end.Reason == wire.Accepted:
		a.Log.Warn("session lost; looking for a relay", "cause", end.Why)
		a.relay, a.forsaken = nil, true
		a.pause(ctx, time.Duration(a.Random()*float64(reconnectPause)))
		return
	}
	a.relay = nil
	a.stuck = end.Reason
	wait := a.pauseAfter(end.Reason)
	a.complain(end.Why+": "+end.Reason.String(), "reason", end.Reason.String(), "retry", wait)
	a.pause(ctx, time.Duration(float64(wait)*(0.9+0.2*a.Random())))
}

func (a *Agent) pauseAfter(reason wire.Reason) time.Duration {
	doubled := firstPause << min(a.refusals, 10)
	a.refusals++
	switch {
	case reason.Temporary() || reason == wire.NotEnrolled:
		return min(doubled, temporaryPause)
	case reason == wire.UnknownToken:
		return min(doubled, permanentPause)
	}
	return permanentPause
}
