package web

import (
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
