// Package send is the probe's side of one session with a relay: it says who it
// is, what it holds, and then each change.
//
//	no host id:  Enrol -> Enrolled (pinned, then acknowledged) -> Hello
//	Hello -> Configure -> settled
//	settled: Digests of the kinds that are complete -> Need -> FactPut ...
//	         then FactPut, FactGone and Problem as the ledger changes
//
// Messages of a link may overtake each other. So nothing of a kind is sent
// while its digests are under way, and no two messages about one item are.
//
// A Conversation is a state machine without socket, clock and goroutine; one
// owner drives it by Receive and Step.
package send

import (
	"log/slog"
	"time"

	"assimilation/probe/internal/ledger"
	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/link"
)

// Times of a conversation.
const (
	answerWithin = time.Minute      // for Enrolled, Configure and Need of a relay that lives
	refusedRetry = 30 * time.Second // of what was refused for a reason that passes
	defaultEcho  = 30 * time.Second
	reportRetry  = time.Second // of a report that was refused for such a reason
)

// Self is what a probe says of itself.
type Self struct {
	Host  tenancy.HostID // zero: not enrolled
	Hello wire.Hello     // Time is filled in when it is sent
	Enrol *wire.Enrol    // nil: no token; Time is filled in when it is sent
	// EnrolOnly ends the conversation after the enrolment.
	EnrolOnly bool
}

// Outside is what a conversation does to the rest of the probe.
type Outside struct {
	// Pin remembers the host id durably.
	Pin func(tenancy.HostID) error
	// Configured is told the host's term, and the kinds that the relay wants; none:
	// all.
	Configured func(term uint64, kinds []string)
	// Ring is given the neighbours that the relay orders.
	Ring func(*wire.Ring)
	// Redirect is told to go to another relay; it refuses one that is none.
	Redirect func(*wire.Redirect) wire.Reason
	// Revoke is told whom the site has revoked; it refuses what the site did not say.
	Revoke func(*wire.Revoke) wire.Reason
	// SiteKeys is told which keys are the site's; it refuses what those known so far
	// do not vouch for.
	SiteKeys func(*wire.SiteKeys) wire.Reason
	// Report returns what there is to report, or nil, and Reported is told whether
	// the relay has taken it; if not, there is to be a new one.
	Report   func(now time.Time) *wire.Report
	Reported func(r *wire.Report, taken bool)
	// Random returns numbers in [0, 1), for jitter.
	Random func() float64
}

// End says why a conversation is over.
type End struct {
	Why    string
	Reason wire.Reason // what the relay refused it for; Accepted: it did not
	Rekey  bool        // the session is worn out: a new one with the same relay
	Done   bool        // it did what it was for: enrolled, or said goodbye
}

// phase is what the conversation waits for.
type phase int

const (
	opening phase = iota
	enrolling
	greeting
	settled
	leaving
)

// Conversation is one session from its first message to its end.
type Conversation struct {
	link    *link.Link
	ledger  *ledger.Ledger
	self    Self
	outside Outside
	log     *slog.Logger

	phase    phase
	question uint32    // id of the message whose answer is awaited: Enrol, Hello, Digests, Goodbye
	asked    bool      // question is set and unanswered
	deadline time.Time // for its answer
	digests  *wire.Digests
	life     liveness
	mirror   *mirror
	view     ledger.View
	seen     bool // view was taken
	retry    time.Time
	report   reporting
	blocked  bool // nothing can be sent before something is acknowledged
	end      *End
}

// New starts a conversation over a fresh link. Nothing is sent before Step.
func New(l *link.Link, book *ledger.Ledger, self Self, outside Outside, log *slog.Logger, now time.Time) *Conversation {
	return &Conversation{
		link:    l,
		ledger:  book,
		self:    self,
		outside: outside,
		log:     log,
		mirror:  newMirror(),
		life:    newLiveness(defaultEcho, now, outside.Random),
	}
}

// Over returns why the conversation ended; nil while it lasts.
func (c *Conversation) Over() *End { return c.end }

func (c *Conversation) finish(e End) {
	if c.end == nil {
		c.end = &e
	}
}

// Receive takes one datagram. An error says why it was dropped.
func (c *Conversation) Receive(now time.Time, datagram []byte) error {
	events, err := c.link.Receive(now, datagram)
	if err != nil {
		return err
	}
	c.life.heard(now)
	for _, event := range events {
		c.blocked = false
		switch e := event.(type) {
		case link.Received:
			c.received(now, e)
		case link.Malformed:
			c.log.Warn("relay sent a message that cannot be read", "reason", e.Reason.String(), "error", e.Err)
		case link.Delivered:
			c.delivered(e.ID)
		case link.Refused:
			c.refused(now, e)
		case link.EchoReply:
			c.life.rtt = e.RTT
		}
	}
	return nil
}

// Step does what is due and returns the datagrams to send now and when to call
// again at the latest. It must also be called after Receive and after a change
// of the ledger.
func (c *Conversation) Step(now time.Time) (datagrams [][]byte, wake time.Time) {
	if c.end == nil {
		c.advance(now)
	}
	datagrams, wake = c.link.Poll(now)
	c.life.pending(c.link.Pending() > 0, now)
	for _, t := range [...]time.Time{c.deadline, c.tellAt(), c.report.retry, c.life.next} {
		wake = earliest(wake, t)
	}
	return datagrams, wake
}

func (c *Conversation) advance(now time.Time) {
	switch {
	case !c.deadline.IsZero() && !now.Before(c.deadline):
		c.finish(End{Why: "relay gave no answer"})
		return
	case c.link.Expired(now) && c.phase != leaving:
		c.finish(End{Why: "session is worn out", Rekey: true})
		return
	}
	ask, lost := c.life.step(now)
	if lost {
		c.finish(End{Why: "relay does not answer"})
		return
	}
	if ask {
		c.link.Echo(now)
	}
	switch c.phase {
	case opening:
		c.open(now)
	case settled:
		c.sendReport(now)
		c.tell(now)
	}
}

// open sends the first message.
func (c *Conversation) open(now time.Time) {
	switch {
	case !c.self.Host.IsZero() && !c.self.EnrolOnly:
		c.greet(now)
	case c.self.Enrol != nil:
		c.enrol(now)
	default:
		c.finish(End{Why: "not enrolled and no token", Reason: wire.NotEnrolled})
	}
}

func (c *Conversation) enrol(now time.Time) {
	m := *c.self.Enrol
	m.Time = now.UnixMilli()
	c.phase = enrolling
	c.ask(now, &m)
}

func (c *Conversation) greet(now time.Time) {
	m := c.self.Hello
	m.Time = now.UnixMilli()
	c.phase = greeting
	c.ask(now, &m)
}

// ask sends a message that the relay answers by another one.
func (c *Conversation) ask(now time.Time, m wire.Message) {
	id, err := c.link.Send(now, m)
	if err != nil {
		c.finish(End{Why: "message cannot be sent: " + err.Error()})
		return
	}
	c.question, c.asked, c.deadline = id, true, now.Add(answerWithin)
}

func (c *Conversation) answered() { c.asked, c.deadline = false, time.Time{} }

// Doubt asks the relay at once for a sign of life, and gives up on it sooner.
func (c *Conversation) Doubt(now time.Time) { c.life.doubt(now) }

// Leave says goodbye, and why. The conversation is over when the relay has noted it.
func (c *Conversation) Leave(now time.Time, cause string) {
	if c.phase != settled || c.end != nil {
		c.finish(End{Why: "stopped", Done: true})
		return
	}
	c.phase = leaving
	c.ask(now, &wire.Goodbye{Cause: cause, Time: now.UnixMilli()})
}
