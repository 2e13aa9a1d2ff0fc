package web

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/tenancy"
)

func TestATenantsRequestsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(maxAtOnce, maxWaiting, patience)
		busy, other := tenancy.NewID[tenancy.TenantID](), tenancy.NewID[tenancy.TenantID]()
		for range maxAtOnce {
			if !all.enter(t.Context(), busy) {
				t.Fatal("a tenant does not get its turns")
			}
		}
		waited := make(chan bool, maxWaiting)
		for range maxWaiting {
			go func() { waited <- all.enter(t.Context(), busy) }()
		}
		synctest.Wait()
		start := time.Now()
		if all.enter(t.Context(), busy) || time.Since(start) != 0 {
			t.Error("one more than may wait is not refused at once")
		}
		if !all.enter(t.Context(), other) {
			t.Error("another tenant has to wait")
		}
		all.leave(other)
		all.leave(busy)
		if !<-waited {
			t.Error("a turn that was left is not taken")
		}
		for range maxWaiting - 1 {
			if <-waited {
				t.Error("more turns than there are")
			}
		}
		if took := time.Since(start); took != patience {
			t.Errorf("they waited %v, want %v", took, patience)
		}
		for range maxAtOnce {
			all.leave(busy)
		}
		if len(all.tenants) != 0 {
			t.Errorf("%d tenants are remembered though none asks", len(all.tenants))
		}
	})
}

// Who runs the service may let a tenant ask more at once.
func TestATenantMayHaveMoreTurns(t *testing.T) {
	all := newTurns(1, 0, patience)
	favoured, other := tenancy.NewID[tenancy.TenantID](), tenancy.NewID[tenancy.TenantID]()
	all.most = func(_ context.Context, tenant tenancy.TenantID) int {
		if tenant == favoured {
			return 3
		}
		return 0
	}
	for tenant, want := range map[tenancy.TenantID]int{favoured: 3, other: 1} {
		for n := range want + 1 {
			if all.enter(t.Context(), tenant) != (n < want) {
				t.Errorf("request %d of a tenant that may have %d", n+1, want)
			}
		}
	}
}
