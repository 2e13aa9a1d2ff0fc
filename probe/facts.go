package probe

import (
	"context"

	"assimilation/discovery"
	"assimilation/probe/internal/schedule"
)

// Facts runs every collector once, with the limits of a running probe, and
// hands over what each returned. It needs no state and no relay.
func Facts(ctx context.Context, collectors []discovery.Collector, report func(discovery.Kind, []discovery.Fact, error)) {
	schedule.Once(ctx, collectors, report)
}
