package verdict

import (
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/uplink"
)

// Config is what an engine needs to know. The zero of a field means what stands
// in brackets.
type Config struct {
	Self ring.ID       // the relay, as a member of rings
	Beat time.Duration // between heartbeats [1 s]
	// AskLimit is how long the relay goes on asking a host before it says that it
	// did not answer [1.2 s].
	AskLimit time.Duration
	// Company is how long a domain's first suspicion waits for others, so that a
	// dead switch is one verdict [500 ms].
	Company time.Duration
	Budget  int // of hosts asked in a second [500]
	// Name gives a domain or a zone its opaque name of 16 bytes.
	Name  func(string) []byte
	NewID func() [16]byte // of verdicts
}

// Engine holds what is known and doubted. Its methods are not for use by several
// goroutines at once.
type Engine struct{ config Config }

// New makes an engine that knows no host. Its clock starts with the first Step.
func New(c Config) *Engine { return &Engine{config: c} }

// Restore takes over the verdicts that were open when the relay stopped, before
// the first Step. It returns the hosts that are out of the rings by them.
func (e *Engine) Restore(open []uplink.VerdictBody) (gone []ring.ID) { return nil }

// Step takes one event in. Times carry the wall clock, for what is told, and
// should carry the monotonic clock, for what is measured.
func (e *Engine) Step(now time.Time, ev Event) Effects { return Effects{} }

// Wake is when a Tick is due; zero: nothing waits for time to pass. It may change
// with every Step.
func (e *Engine) Wake() time.Time { return time.Time{} }

// Interesting reports whether the engine wants to be told (Heard) that a host
// spoke.
func (e *Engine) Interesting(id ring.ID) bool { return false }

// Open are the verdicts that are not over.
func (e *Engine) Open() []uplink.VerdictBody { return nil }
