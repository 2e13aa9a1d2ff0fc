package cypher

import (
	"context"
	"errors"
	"sync"
	"time"

	"assimilation/tenancy"
)

// How many questions are answered at once, in one process: a question may keep a
// processor busy for 5 s.
const (
	perTenant = 2
	together  = 4
	patience  = 10 * time.Second
)

var errTooMany = errors.New("too many questions are being answered at once; try again in a few seconds")

// turns lets questions in, a few at once.
type turns struct {
	all chan struct{}

	mu      sync.Mutex
	tenants map[tenancy.TenantID]*turn
}

type turn struct {
	slots chan struct{}
	users int // who hold or want a slot
}

func newTurns() *turns {
	return &turns{all: make(chan struct{}, together), tenants: map[tenancy.TenantID]*turn{}}
}

// enter waits for a turn; false says that it took too long. Whoever got a turn
// must leave.
func (t *turns) enter(ctx context.Context, tenant tenancy.TenantID) bool {
	t.mu.Lock()
	own := t.tenants[tenant]
	if own == nil {
		own = &turn{slots: make(chan struct{}, perTenant)}
		t.tenants[tenant] = own
	}
	own.users++
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case own.slots <- struct{}{}:
	case <-ctx.Done():
		t.forget(tenant)
		return false
	}
	select {
	case t.all <- struct{}{}:
		return true
	case <-ctx.Done():
		<-own.slots
		t.forget(tenant)
		return false
	}
}

func (t *turns) leave(tenant tenancy.TenantID) {
	t.mu.Lock()
	own := t.tenants[tenant]
	t.mu.Unlock()
	<-t.all
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
