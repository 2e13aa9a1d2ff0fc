// Package agent is the probe's one loop: it looks for a relay of its site,
// shakes hands with it, holds the conversation, and starts over when that ends.
//
//	search --certificate of our site--> handshake --session--> converse
//	  ^                                     | no answer           | over
//	  +-------------------------------------+---- pause <---------+
//
// A relay may begin the session itself, whatever the agent does at the time: see
// called.go. Heartbeats go out and come in all the while, with a session and without
// one: see beats.go.
//
// One goroutine owns the socket, the link and all of the agent's state; others
// reach it through channels only.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"assimilation/probe/internal/announce"
	"assimilation/probe/internal/beat"
	"assimilation/probe/internal/ledger"
	"assimilation/probe/internal/send"
	"assimilation/probe/internal/state"
	"assimilation/probe/internal/udp"
	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

// Socket carries datagrams.
type Socket interface {
	Received() <-chan udp.Datagram
	// Refused tells where nobody listened for a datagram.
	Refused() <-chan netip.AddrPort
	Send(to netip.AddrPort, datagram []byte) error
	Announce(datagram []byte) error
	Port() uint16
	// StandIn is the TCP port at which the kernel answers for the probe; 0: none.
	StandIn() uint16
	Close() error
}

// Home remembers the site; *state.Dir is one.
type Home interface {
	Pin() *state.Pin
	SavePin(state.Pin) error
	Revocation() *wire.Revocation
	SaveRevocation(wire.Revocation) error
	SiteKeys() *wire.KeyStatement
	SaveSiteKeys(wire.KeyStatement) error
}

// Credential is the enrolment token, or why there is none.
type Credential struct {
	Token *tenancy.Token // nil: none was given, or it cannot be used
	// Reason and Err say why a token that was given cannot be used.
	Reason wire.Reason
	Err    error
}

// Config is what an agent needs of the rest of the probe.
type Config struct {
	Key        handshake.Keypair
	Home       Home
	Credential Credential
	Relays     []string // host:port; empty: the token's address, then multicast
	Hello      wire.Hello
	// MachineID is what Enrol says of the machine; nil: nothing.
	MachineID func(site [32]byte) []byte
	Ledger    *ledger.Ledger
	Allow     func(kinds []string)
	// Open opens the socket; anyPort: not the protocol's own port, which a
	// relay on this host may be waiting for.
	Open    func(anyPort bool) (Socket, error)
	Resolve func(ctx context.Context, hostPort string) ([]netip.AddrPort, error)
	Random  func() float64
	// Alive is called every AliveEvery by the loop itself; zero: never.
	Alive      func()
	AliveEvery time.Duration
	// Quiet is called when a session has told the relay everything for the
	// first time, and what that took can be given back.
	Quiet func()
	// Cause is asked why the probe is being stopped.
	Cause     func() string
	EnrolOnly bool
	Log       *slog.Logger
}

// Agent keeps one probe in touch with its site.
type Agent struct {
	Config
	socket   Socket
	heart    *beat.Heart
	sendBeat beat.Send
	timer    *time.Timer // of wait
	wake     time.Time   // what it is set to; zero: it has fired
	ticks    <-chan time.Time
	asks     chan chan Status
	backoff  announce.Backoff
	stuck    wire.Reason // what announces say
	refusals int         // since the last session
	said     string      // last trouble that was logged
	warned   map[[wire.IDSize]byte]bool
	drops    map[string]uint64

	relay *relay             // found; nil: searching
	talk  *send.Conversation // nil: no session
	since time.Time          // of the session
	// redirect is where the relay wants this probe to go; nil: nowhere.
	redirect *relay
	// forsaken: the relay is lost, so whoever is there shall be asked.
	forsaken bool

	bowl       bowl
	ringing    *call     // answered, not yet a session
	answeredAt time.Time // when a call was answered last
	called     *called   // a session that waits to be taken over
}

// relay is a relay of our site and where it is.
type relay struct {
	address     netip.AddrPort
	certificate wire.Certificate
}

// New prepares an agent.
func New(c Config) *Agent {
	a := &Agent{
		Config: c,
		heart:  beat.New(c.Random),
		asks:   make(chan chan Status),
		warned: map[[wire.IDSize]byte]bool{},
		drops:  map[string]uint64{},
	}
	a.sendBeat = func(to netip.AddrPort, datagram []byte) { a.transmit(to, datagram) }
	return a
}

// Refused is the error of an enrolment that the relay turned down.
type Refused struct{ Reason wire.Reason }

func (r *Refused) Error() string { return "enrolment was refused: " + r.Reason.String() }

// Run looks for a relay and talks to it until ctx ends, or, if only an
// enrolment was asked for, until that is settled: a reason that may pass is
// waited for.
func (a *Agent) Run(ctx context.Context) error {
	var err error
	if a.socket, err = a.Open(false); err != nil {
		return err
	}
	defer func() { a.socket.Close() }()
	a.timer = time.NewTimer(time.Hour)
	defer a.timer.Stop()
	defer func() { a.heart.Leave(time.Now(), a.sendBeat) }()
	if a.AliveEvery > 0 {
		ticker := time.NewTicker(a.AliveEvery)
		defer ticker.Stop()
		a.ticks = ticker.C
	}
	a.greetCredential()
	for ctx.Err() == nil {
		l := a.meet(ctx)
		if l == nil {
			continue
		}
		end := a.converse(ctx, l)
		if a.called != nil {
			continue
		}
		if a.EnrolOnly && end.Done {
			return nil
		}
		if r := end.Reason; a.EnrolOnly && r != wire.Accepted && r != wire.UnknownToken && !r.Temporary() {
			return &Refused{r}
		}
		a.after(ctx, end)
	}
	if a.EnrolOnly {
		return a.unsettled(ctx.Err())
	}
	return nil
}

// meet gets a session: one that a relay began, or else one with the relay that
// is known or found. nil: try again.
func (a *Agent) meet(ctx context.Context) *link.Link {
	if l := a.takeCall(); l != nil {
		return l
	}
	if a.relay == nil {
		if a.relay = a.search(ctx); a.relay == nil {
			return nil
		}
	}
	l := a.shake(ctx, a.relay)
	if l == nil {
		a.relay = nil
	}
	return l
}

// unsettled says why an enrolment came to no end.
func (a *Agent) unsettled(cause error) error {
	switch {
	case a.stuck == wire.KeyRetired:
		return &Refused{a.stuck}
	case len(a.warned) > 0:
		return &Refused{wire.WrongSite}
	case a.stuck != wire.Accepted:
		return &Refused{a.stuck}
	}
	return fmt.Errorf("no relay of this probe's site answered: %w", cause)
}

// greetCredential says what is wrong with the token, once.
func (a *Agent) greetCredential() {
	pin := a.Home.Pin()
	switch c := a.Credential; {
	case c.Err != nil && pin == nil:
		a.stuck = c.Reason
		a.Log.Error("token cannot be used; only announcing this probe", "reason", c.Reason.String(), "error", c.Err)
	case c.Err != nil:
		a.Log.Warn("token cannot be used; this probe is enrolled already and goes on", "reason", c.Reason.String(), "error", c.Err)
	case c.Token == nil && pin == nil:
		a.Log.Warn("no token and no pinned site; only announcing this probe")
	case c.Token == nil || a.token() != nil:
	case a.Home.SiteKeys() != nil && a.Home.SiteKeys().Former == c.Token.Pin:
		a.Log.Info("token pins a key that the site has replaced since; this probe is enrolled already and goes on")
	default:
		a.Log.Error("token is of another site than the one this probe belongs to, or pins a key that the site has replaced; it is not used. "+
			"To move the probe, or to bring it back, stop it and run assim-probe enrol --move with the token", "reason", wire.WrongSite.String())
	}
}

// token is the token that may enrol this probe in its site.
func (a *Agent) token() *tenancy.Token {
	t := a.Credential.Token
	if keys, _ := a.trusted(); t == nil || !slices.Contains(keys, t.Pin) {
		return nil
	}
	return t
}

// pinned is the oldest of the site's keys that this probe knows; nil: it knows none.
func (a *Agent) pinned() *[32]byte {
	if pin := a.Home.Pin(); pin != nil {
		return &pin.Site
	}
	if a.Credential.Token != nil {
		return &a.Credential.Token.Pin
	}
	return nil
}

// trusted are the keys of which one must have certified a relay, the newest first,
// and the sequence of the statement that says so; nil: none is known.
func (a *Agent) trusted() (wire.Keys, uint64) {
	pinned := a.pinned()
	if pinned == nil {
		return nil, 0
	}
	return wire.Trusted(*pinned, a.Home.SiteKeys())
}

// complain logs a trouble at error level, once until it changes.
func (a *Agent) complain(text string, args ...any) {
	if a.said == text {
		return
	}
	a.said = text
	a.Log.Error(text, args...)
}

// happening is what ended a wait.
type happening int

const (
	elapsed happening = iota
	arrived
	changed
	stopped
	wasCalled // a relay has begun a session: a.called
)

// wait returns at the first datagram that belongs to no call and is no heartbeat, at
// a call that has become a session, at a change of the ledger or when there is
// something to report (if changes is not nil), at the end of ctx, or when the time
// has come. Heartbeats, questions about the status and the watchdog are served
// meanwhile.
func (a *Agent) wait(ctx context.Context, until time.Time, changes <-chan struct{}) (udp.Datagram, happening) {
	for {
		wake := a.heart.Step(time.Now(), a.sendBeat)
		if wake.IsZero() || until.Before(wake) {
			wake = until
		}
		if changes != nil && a.talk != nil && a.heart.News() {
			return udp.Datagram{}, changed
		}
		if !wake.Equal(a.wake) { // most beats change nothing of it
			a.wake = wake
			a.timer.Reset(time.Until(wake))
		}
		select {
		case <-ctx.Done():
			return udp.Datagram{}, stopped
		case d := <-a.socket.Received():
			switch taken, live := a.pickUp(d, time.Now()); {
			case live:
				return udp.Datagram{}, wasCalled
			case !taken:
				return d, arrived
			}
		case from := <-a.socket.Refused():
			a.heart.Refused(time.Now(), from)
		case <-changes:
			return udp.Datagram{}, changed
		case now := <-a.timer.C:
			a.wake = time.Time{}
			if !now.Before(until) {
				return udp.Datagram{}, elapsed
			}
		case <-a.ticks:
			a.Alive()
		case reply := <-a.asks:
			reply <- a.status()
		}
	}
}

// pause waits; what arrives meanwhile belongs to nothing.
func (a *Agent) pause(ctx context.Context, d time.Duration) {
	until := time.Now().Add(d)
	for {
		datagram, what := a.wait(ctx, until, nil)
		switch what {
		case arrived:
			a.dropStray(datagram)
		case elapsed, stopped, wasCalled:
			return
		}
	}
}

// transmit sends datagrams; one that cannot be sent is as good as lost.
func (a *Agent) transmit(to netip.AddrPort, datagrams ...[]byte) {
	for _, d := range datagrams {
		if err := a.socket.Send(to, d); err != nil {
			a.drop(errUnsendable)
			a.Log.Debug("sending a datagram", "to", to.String(), "error", err)
		}
	}
}

var errUnsendable = errors.New("datagram could not be sent")
