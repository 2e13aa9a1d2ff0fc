package ingest

import (
	"context"
	"sync"

	"assimilation/tenancy"
)

// turns lets one goroutine per tenant write at a time. Tenants that nobody
// writes to take no memory.
type turns struct {
	mu   sync.Mutex
	open map[tenancy.TenantID]*turn
}

type turn struct {
	free  chan struct{} // holds one token while nobody writes
	users int
}

func newTurns() *turns { return &turns{open: map[tenancy.TenantID]*turn{}} }

// enter waits for the tenant's turn. The caller calls leave, once.
func (t *turns) enter(ctx context.Context, tenant tenancy.TenantID) (leave func(), err error) {
	t.mu.Lock()
	own := t.open[tenant]
	if own == nil {
		own = &turn{free: make(chan struct{}, 1)}
		own.free <- struct{}{}
		t.open[tenant] = own
	}
	own.users++
	t.mu.Unlock()
	forget := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(t.open, tenant)
		}
	}
	select {
	case <-own.free:
		return func() { own.free <- struct{}{}; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}
