package verdict

import (
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/uplink"
)

// Host is a member as the engine has to know it: ring.Member says where it
// stands, Watchers who exchanges heartbeats with it (the relay's own id among
// them, where it does).
type Host struct {
	ring.Member
	Watchers []ring.ID
	// Assumed: no switch told its name, Domain is a guess by subnet. Verdicts about
	// that domain have a low confidence.
	Assumed bool
}

// Event is one piece of evidence, or a change of who there is. Events about a
// host that is not known are ignored.
type Event interface{ event() }

// The events.
type (
	// Placed makes a host known, or says that it or its watchers changed.
	Placed struct{ Host Host }
	// Removed: the host is retired, or another relay's now. What stands about it is
	// over.
	Removed struct{ ID ring.ID }
	// Missed: By heard no beat of About for Age. Refused: About's kernel said that
	// nobody listens. Late: By was late itself (of its last 16 beats, so many).
	Missed struct {
		By, About ring.ID
		Age       time.Duration
		Late      uint8
		Refused   bool
	}
	// Hears: By hears About's beats, again or for the first time.
	Hears struct{ By, About ring.ID }
	// Echoed: About answered the relay's echo, or did not within the limit.
	Echoed struct {
		About ring.ID
		OK    bool
	}
	// Connected is how About's kernel answered a TCP connect to the probe's port.
	Connected struct {
		About   ring.ID
		Outcome Outcome
	}
	// Unheard: an order for About was not acknowledged in time.
	Unheard struct{ About ring.ID }
	// Heard: an authentic datagram of About came to the relay. It need be told only
	// of hosts that Interesting names.
	Heard struct{ About ring.ID }
	// Silent: the session of About is silent beyond its time.
	Silent struct{ About ring.ID }
	// Left: About said goodbye.
	Left struct{ About ring.ID }
	// Greeted: a session of About began.
	Greeted struct{ About ring.ID }
	// Cloned: About's key speaks from two places. Settled: from one again.
	Cloned struct {
		About   ring.ID
		Settled bool
	}
	// Stepped: About's wall clock jumped.
	Stepped struct {
		About ring.ID
		By    time.Duration
	}
	// Carrier: a link of the relay's own, towards its hosts, went down or up.
	Carrier struct{ Up bool }
	// Paced: the beat is another now.
	Paced struct{ Beat time.Duration }
	// Tick: time has passed. It is due at Engine.Wake.
	Tick struct{}
)

func (Placed) event()    {}
func (Removed) event()   {}
func (Missed) event()    {}
func (Hears) event()     {}
func (Echoed) event()    {}
func (Connected) event() {}
func (Unheard) event()   {}
func (Heard) event()     {}
func (Silent) event()    {}
func (Left) event()      {}
func (Greeted) event()   {}
func (Cloned) event()    {}
func (Stepped) event()   {}
func (Carrier) event()   {}
func (Paced) event()     {}
func (Tick) event()      {}

// Outcome is how a kernel answered a connect.
type Outcome uint8

// The outcomes.
const (
	NoAnswer Outcome = iota
	Taken            // connected: the kernel lives, and the probe's socket is there
	Refused          // reset: the kernel lives, nobody listens
	NoRoute          // this host's own kernel, or a router, says that there is no way
	NoPort           // not asked: the probe has no such port
)

// Effects are what a step leads to.
type Effects struct {
	// Ask names hosts that the relay is to ask at once, by echo over their session
	// and by connect: both answers come back as Echoed and Connected, in
	// Config.AskLimit at the latest. Several echoes and connects are tried within
	// it, so that lost packets are no answer: the figures in this package's tests
	// hold for three and eight. None is asked again before both came.
	Ask []ring.ID
	// Gone are hosts whose place in the rings is to be closed; Back those who take
	// it again.
	Gone, Back []ring.ID
	// Verdicts that were opened, that grew, or that are over, in order.
	Verdicts []uplink.VerdictBody
	// Counters: things that changed nothing else.
	FalseAccusations []ring.ID // witnesses whose word was refuted
}
