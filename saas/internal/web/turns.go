package web

import (
	"context"
	"sync"
	"time"

	"assimilation/tenancy"
)

// maxAtOnce is how many requests of one tenant are answered at the same time,
// in one process: half of the connections on which tenants read, so that one
// tenant's slow questions do not make the others wait.
const maxAtOnce = 4

// Bounds of who waits for their turn.
const (
	maxWaiting = 64 // requests of a tenant
	patience   = 10 * time.Second
)

const tooManyAtOnce = "your tenant asks too much at once; try again in a few seconds"

// turns lets the requests of each tenant in, a few at once.
type turns struct {
	mu      sync.Mutex
	tenants map[tenancy.TenantID]*turn
}

type turn struct {
	slots chan struct{}
	users int // who hold or want a slot
}

func newTurns() *turns { return &turns{tenants: map[tenancy.TenantID]*turn{}} }

// enter waits for a turn; false says that too many wait, or that it took too
// long. Whoever got a turn must leave.
func (t *turns) enter(ctx context.Context, tenant tenancy.TenantID) bool {
	t.mu.Lock()
	own := t.tenants[tenant]
	if own == nil {
		own = &turn{slots: make(chan struct{}, maxAtOnce)}
		t.tenants[tenant] = own
	}
	if own.users >= maxAtOnce+maxWaiting {
		t.mu.Unlock()
		return false
	}
	own.users++
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
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
