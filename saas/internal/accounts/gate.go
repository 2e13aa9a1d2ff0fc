package accounts

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// gate bounds how many do something dear at the same time, and how many wait
// for it.
type gate struct {
	slots, queue chan struct{}
}

func newGate(atOnce, waiting int) gate {
	return gate{make(chan struct{}, atOnce), make(chan struct{}, waiting)}
}

var errBusy = huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("too many people sign in or up just now; try again in a minute"),
	http.Header{"Retry-After": {"60"}})

// enter waits for a slot until ctx ends; errBusy is the error when too many
// wait already. Whoever entered must leave.
func (g gate) enter(ctx context.Context) error {
	select {
	case g.queue <- struct{}{}:
		defer func() { <-g.queue }()
	default:
		return errBusy
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) leave() { <-g.slots }
