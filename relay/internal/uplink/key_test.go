package uplink_test

import (
	"context"
	"testing"

	"assimilation/relay/internal/servicetest"
)

// TestWhatWaitsIsSealedToTheNewKey replaces the tenant's key while a batch that was
// sealed to the former one is lost on its way: its records are sealed anew.
func TestWhatWaitsIsSealedToTheNewKey(t *testing.T) {
	r := newRelay(t)
	r.run(r.runner.Forward)
	r.mark(0, 10)
	r.exactly(10)

	tried := make(chan struct{}, 1)
	r.service.Fail(func(path string) (f servicetest.Fault) {
		if path == "/relay/v1/batch" {
			f.Status = 503
			select {
			case tried <- struct{}{}:
			default:
			}
		}
		return f
	})
	r.mark(10, 20)
	<-tried
	r.service.Rotate(t)
	r.run(r.runner.Listen)
	orders := <-r.ordered
	r.service.Retire()
	r.service.Fail(func(string) servicetest.Fault { return servicetest.Fault{} })
	r.mark(20, 30)
	r.exactly(30)

	id, _, err := r.store.Identity(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if string(id.Enrolment.TenantKey.Bytes()) != string(orders.TenantKey) {
		t.Error("a relay that is started again would seal to the former key")
	}
}
