package web

import (
	"context"
	"sync"
	"time"

	"assimilation/tenancy"
)

// maxAtOnce is how many requests of one tenant are answered at the same time,
// in one process, where nobody says another number: half of the connections on
// which tenants read, so that one tenant's slow questions do not make the others
// wait.
const maxAtOnce = 4

// Bounds of who waits for their turn.
const (
	maxWaiting = 64 // requests of a tenant
	patience   = 10 * time.Second
)

// What live streams read is read by turns of their own, of which few are given at
// once: all streams of a tenant wake at the same moment.
const (
	streamsAtOnce  = 2
	streamPatience = time.Minute
)

const tooManyAtOnce = "your tenant asks too much at once; try again in a few seconds"

// turns lets the requests of each tenant in, a few at once.
type turns struct {
	atOnce, waiting int // of one tenant
	patience        time.Duration

	most    func(context.Context, tenancy.TenantID) int // nil, or 0: atOnce
	mu      sync.Mutex
	tenants map[tenancy.TenantID]*turn
}

type turn struct {
	slots chan struct{}
	users int // who hold or want a slot
}

// AtOnce has most say how many requests of a tenant are answered at the same
// time; 0 where it cannot. It is called with every request, and before any is
// served.
func (s *Web) AtOnce(most func(context.Context, tenancy.TenantID) int) { s.turns.most = most }

func newTurns(atOnce, waiting int, patience time.Duration) *turns {
	return &turns{atOnce: atOnce, waiting: waiting, patience: patience, tenants: map[tenancy.TenantID]*turn{}}
}

// enter waits for a turn; false says that too many wait, or that it took too
// long. Whoever got a turn must leave.
func (t *turns) enter(ctx context.Context, tenant tenancy.TenantID) bool {
	most := 0
	if t.most != nil {
		most = t.most(ctx, tenant)
	}
	if most < 1 {
		most = t.atOnce
	}
	t.mu.Lock()
	own := t.tenants[tenant]
	if own == nil { // who comes while others are here shares their limit
		own = &turn{slots: make(chan struct{}, most)}
		t.tenants[tenant] = own
	}
	if own.users >= cap(own.slots)+t.waiting {
		t.mu.Unlock()
		return false
	}
	own.users++
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
	select {
	case own.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		t.forget(tenant)
		return false
	}
}

func (t *turns) leave(tenant tenancy.TenantID) {
	t.mu.Lock()
	own := t.tenants[tenant]
	t.mu.Unlock()
	<-own.slots
	t.forget(tenant)
}

func (t *turns) forget(tenant tenancy.TenantID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.tenants[tenant]
	if own.users--; own.users == 0 {
		delete(t.tenants, tenant)
	}
}
