package uplink_test

import (
	"context"
	"testing"

	service "assimilation/relay/internal/uplink"
	"assimilation/uplink"
	"assimilation/wire"
)

// TestTheServiceGoesOnByAnotherSiteKey replaces the key that signs the service's answers
// while records flow, and then starts the relay anew.
func TestTheServiceGoesOnByAnotherSiteKey(t *testing.T) {
	r := newRelay(t)
	old := r.service.SiteKey
	r.run(r.runner.Forward)
	r.run(r.runner.Listen)
	next := r.service.NextSiteKey(t, 1)
	<-r.ordered
	r.mark(0, 10)
	r.exactly(10)
	r.service.RetireSiteKey(2, next)
	<-r.ordered
	r.mark(10, 20)
	r.exactly(20)

	id, _, err := r.store.Identity(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if keys, sequence := id.TrustedKeys(); len(keys) != 1 || sequence != 2 || id.Enrolment.SiteKey.Equal(old.Public()) {
		t.Errorf("on disk: %x, statement %d", keys, sequence)
	}
	again, err := service.NewService(id)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Orders(context.Background(), uplink.OrdersRequest{Version: "test"}); err != nil {
		t.Errorf("a relay that is started again: %v", err)
	}
	// Who has the old key speaks for the service no more.
	r.service.RetireSiteKey(3, old)
	if _, err := again.Orders(context.Background(), uplink.OrdersRequest{Version: "test"}); wire.ReasonOf(err) != wire.BadSignature {
		t.Errorf("orders by the old key: %v", err)
	}
}
