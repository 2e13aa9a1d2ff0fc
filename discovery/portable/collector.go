package portable

import (
	"context"
	"time"

	"assimilation/discovery"
)

// collector is a kind whose facts one function finds.
type collector struct {
	kind discovery.Kind
	find func(context.Context) ([]discovery.Fact, error)
}

func (c *collector) Kind() discovery.Kind { return c.kind }

func (c *collector) Collect(ctx context.Context) ([]discovery.Fact, error) { return c.find(ctx) }

// slowly makes a kind that Linux tells by event, or cheaply, one that is asked for
// every interval, without the rights that only Linux has.
func slowly(kind discovery.Kind, interval time.Duration) discovery.Kind {
	kind.Needs, kind.After = nil, nil
	kind.Interval, kind.Timeout = interval, time.Minute
	return kind
}

// single is a collector of a kind of one instance.
func single[Body any](kind discovery.Kind, find func(context.Context) (Body, error)) *collector {
	return &collector{kind, func(ctx context.Context) ([]discovery.Fact, error) {
		body, err := find(ctx)
		if degraded := (*discovery.Degraded)(nil); err != nil && !asDegraded(err, &degraded) {
			return nil, err
		}
		fact, wrong := discovery.NewFact(kind, "", body)
		if wrong != nil {
			return nil, wrong
		}
		return []discovery.Fact{fact}, err
	}}
}
