package send

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"assimilation/discovery"
	"assimilation/probe/internal/ledger"
	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/link"
)

// received handles a message of the relay. What does not fit the moment is
// refused: it changes nothing.
func (c *Conversation) received(now time.Time, e link.Received) {
	reason := wire.Unsupported
	switch m := e.Message.(type) {
	case *wire.Enrolled:
		reason = inTurn(c.enrolled(now, m))
	case *wire.Configure:
		reason = inTurn(c.configured(now, m))
	case *wire.Need:
		reason = inTurn(c.needed(m))
	case *wire.Ring: // which may overtake the Configure, as a Redirect may
		if reason = inTurn(c.phase >= greeting); c.phase == greeting || c.phase == settled {
			c.outside.Ring(m)
		}
	case *wire.Redirect:
		if c.phase == greeting || c.phase == settled {
			reason = c.outside.Redirect(m)
		}
	case *wire.Revoke:
		if c.phase == greeting || c.phase == settled {
			reason = c.outside.Revoke(m)
		}
	case *wire.SiteKeys:
		if c.phase == greeting || c.phase == settled {
			reason = c.outside.SiteKeys(m)
		}
	}
	if reason != wire.Accepted {
		c.link.Refuse(e.ID, reason)
		c.log.Warn("relay sent a message that does not fit", "message", fmt.Sprintf("%T", e.Message), "reason", reason.String())
		return
	}
	c.link.Done(e.ID)
}

func inTurn(ok bool) wire.Reason {
	if ok {
		return wire.Accepted
	}
	return wire.Unsupported
}

// enrolled pins the host id before the relay hears that it arrived.
func (c *Conversation) enrolled(now time.Time, m *wire.Enrolled) bool {
	if c.phase != enrolling {
		return false
	}
	host := tenancy.HostID{UUID: uuid.UUID(m.Host)}
	c.answered()
	if err := c.pin(host); err != nil {
		return true
	}
	c.log.Info("enrolled", "host", host.String())
	if c.self.EnrolOnly {
		c.finish(End{Why: "enrolled", Done: true})
		return true
	}
	c.greet(now)
	return true
}

func (c *Conversation) pin(host tenancy.HostID) error {
	if err := c.outside.Pin(host); err != nil {
		c.finish(End{Why: "the pinned site cannot be written: " + err.Error(), Reason: wire.NotDurable})
		return err
	}
	c.self.Host = host
	return nil
}

func (c *Conversation) configured(now time.Time, m *wire.Configure) bool {
	if c.phase != greeting && c.phase != settled {
		return false
	}
	host := tenancy.HostID{UUID: uuid.UUID(m.Host)}
	if host != c.self.Host {
		if c.phase == settled {
			return false // an id changes with a session, or each message would be a write to disk
		}
		c.log.Warn("relay knows this host by another id", "was", c.self.Host.String(), "is", host.String())
		if c.pin(host) != nil {
			return true
		}
	}
	if c.phase == greeting {
		c.answered()
		c.phase = settled
		c.log.Info("session established", "host", host.String())
	}
	c.life.every(time.Duration(m.EchoInterval)*time.Millisecond, now)
	c.outside.Configured(m.Term, m.Kinds)
	return true
}

func (c *Conversation) needed(m *wire.Need) bool {
	if c.digests == nil {
		return false
	}
	c.mirror.assume(c.digests, m.Facts)
	c.digests = nil
	c.seen = false
	if c.phase == settled {
		c.answered()
	}
	return true
}

func (c *Conversation) delivered(id uint32) {
	if c.phase == leaving && id == c.question {
		c.finish(End{Why: "said goodbye", Done: true})
		return
	}
	if c.report.land(id) {
		c.outside.Reported(c.report.sent, true)
		return
	}
	if f, ok := c.mirror.land(id); ok {
		c.mirror.delivered(f)
		c.seen = false
	}
}

// refused handles the refusal of any message of ours.
func (c *Conversation) refused(now time.Time, e link.Refused) {
	if c.report.land(e.ID) {
		c.reportRefused(now, e.Reason)
		return
	}
	f, ok := c.mirror.land(e.ID)
	if !ok {
		c.questionRefused(now, e)
		return
	}
	c.seen = false
	it := f.item
	switch {
	case e.Reason == wire.NotEnrolled || e.Reason == wire.Revoked:
		c.finish(End{Why: "relay does not take this host's facts", Reason: e.Reason})
		return
	case e.Reason.Temporary():
		c.mirror.later[it] = now.Add(refusedRetry)
	default:
		c.giveUp(it, f.state)
	}
	c.log.Warn("relay refused a message", "kind", it.key.Kind, "instance", it.key.Instance, "problem", it.problem, "reason", e.Reason.String())
}

// giveUp stops offering the state of an item: a fact until it changes, anything
// else for this session.
func (c *Conversation) giveUp(it item, s state) {
	if !it.problem && s != (state{}) {
		c.ledger.Refuse(it.key, discovery.Hash(s))
		return
	}
	c.mirror.delivered(flight{item: it, state: s})
}

// questionRefused handles the refusal of Enrol, Hello, Digests and Goodbye.
func (c *Conversation) questionRefused(now time.Time, e link.Refused) {
	if !c.asked || e.ID != c.question {
		return
	}
	c.answered()
	switch {
	case c.phase == leaving:
		c.finish(End{Why: "goodbye was refused", Reason: e.Reason, Done: true})
	case c.phase == greeting && e.Reason == wire.NotEnrolled && c.self.Enrol != nil:
		c.log.Warn("relay does not know this host; enrolling again", "host", c.self.Host.String())
		c.enrol(now)
	case c.phase == enrolling:
		c.finish(End{Why: "enrolment was refused", Reason: e.Reason})
	default:
		c.finish(End{Why: "relay refused the session", Reason: e.Reason})
	}
}

// tell sends what the relay lacks: digests of newly completed kinds, then what
// differs.
func (c *Conversation) tell(now time.Time) {
	if c.digests != nil || c.blocked {
		return
	}
	if c.seen && c.ledger.Generation() == c.view.Generation && (c.retry.IsZero() || now.Before(c.retry)) {
		return
	}
	c.view, c.seen, c.retry = c.ledger.View(), true, time.Time{}
	if m := c.newKinds(); m != nil {
		c.digests = m
		c.ask(now, m)
		return
	}
	messages, retry := c.mirror.next(c.view, now)
	c.retry = retry
	for _, d := range messages {
		id, err := c.link.Send(now, d.message)
		switch {
		case err == nil:
			c.mirror.launch(id, d)
		case errors.Is(err, link.ErrQueueFull):
			c.blocked, c.seen = true, false // go on after an acknowledgement
			return
		case errors.Is(err, link.ErrExhausted):
			c.finish(End{Why: "session is worn out", Rekey: true})
			return
		default:
			c.log.Warn("message does not fit the protocol", "kind", d.item.key.Kind, "instance", d.item.key.Instance, "error", err)
			c.giveUp(d.item, d.state)
		}
	}
}

// tellAt is when something that was refused for a passing reason is sent again.
func (c *Conversation) tellAt() time.Time {
	if c.phase != settled || c.digests != nil || c.blocked {
		return time.Time{}
	}
	return c.retry
}

// newKinds lists the kinds that completed since the last digests, if there are
// any, and no more than fit a message: the rest comes after the answer. What the
// relay may still show of their problems is unknown.
func (c *Conversation) newKinds() *wire.Digests {
	m := &wire.Digests{}
	fresh := map[string]bool{}
	for _, kind := range c.view.Kinds {
		if !c.mirror.synced[kind] && len(m.Kinds) < wire.MaxKinds {
			m.Kinds = append(m.Kinds, kind)
			fresh[kind] = true
			c.mirror.known[item{true, ledger.Key{Kind: kind}}] = unknown
		}
	}
	if len(m.Kinds) == 0 {
		return nil
	}
	for key, fact := range c.view.Facts {
		if fresh[key.Kind] {
			m.Facts = append(m.Facts, digest(fact.Fact))
		}
	}
	return m
}

// Report is what status shows of a conversation.
type Report struct {
	Settled                  bool
	LastHeard                time.Time
	RTT                      time.Duration // of the last echo; zero: none yet
	Held, Sent               int           // facts, and those durable at the relay as they are now
	Pending                  int           // messages without acknowledgement
	BytesSent, BytesReceived uint64        // of datagrams of this session
}

// Report counts.
func (c *Conversation) Report() Report {
	view, stats := c.ledger.View(), c.link.Stats()
	return Report{
		Settled:       c.phase == settled,
		LastHeard:     c.link.LastHeard(),
		RTT:           c.life.rtt,
		Held:          len(view.Facts),
		Sent:          c.mirror.count(view),
		Pending:       c.link.Pending(),
		BytesSent:     stats.BytesSent,
		BytesReceived: stats.BytesReceived,
	}
}

// Quiet reports whether the relay has been told, and has acknowledged, all that
// the probe holds.
func (c *Conversation) Quiet() bool {
	return c.phase == settled && c.seen && c.digests == nil && c.link.Pending() == 0 && c.ledger.Generation() == c.view.Generation
}
