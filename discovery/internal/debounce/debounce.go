// Package debounce turns a burst of events into one call.
package debounce

import (
	"context"
	"time"
)

// Caller calls a function once events were quiet for a while, or have gone on
// for too long.
type Caller struct {
	quiet, most time.Duration
	events      chan struct{}
}

// New returns a Caller that waits until no event came for quiet, but at most
// for most after the first.
func New(quiet, most time.Duration) *Caller {
	return &Caller{quiet, most, make(chan struct{}, 1)}
}

// Event notes that something happened. It never blocks.
func (c *Caller) Event() {
	select {
	case c.events <- struct{}{}:
	default:
	}
}

// Run calls call after each burst of events, until ctx ends.
func (c *Caller) Run(ctx context.Context, call func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.events:
		}
		deadline := time.NewTimer(c.most)
		quiet := time.NewTimer(c.quiet)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				deadline.Stop()
				quiet.Stop()
				return
			case <-c.events:
				quiet.Reset(c.quiet)
			case <-quiet.C:
				waiting = false
			case <-deadline.C:
				waiting = false
			}
		}
		deadline.Stop()
		quiet.Stop()
		call()
	}
}
