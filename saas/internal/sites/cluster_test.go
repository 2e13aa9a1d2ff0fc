package sites_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"assimilation/uplink"
)

// The relays of a site hear of each other, and of nobody else.
func TestOrdersNameTheSitesRelays(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	w.site(adminOfA, "hamburg")
	_, secret := w.mint("berlin", `{"kind":"relay"}`)
	first := w.relay("first", secret).mustEnrol()
	elsewhere := w.enrolled("hamburg", "elsewhere")
	alone := first.orders(0, 0)
	if len(alone.Relays) != 1 || alone.Relays[0].ID != first.answer.Relay || len(alone.SiteSecret) != 32 {
		t.Fatalf("of one relay: %+v", alone.Relays)
	}
	second := w.relay("second", secret).mustEnrol() // by the same token
	second.cluster, second.serves = "10.0.0.2:1986", "10.0.0.2:1984"
	both := first.orders(alone.Revision, 0)
	if both.NotModified || len(both.Relays) != 2 {
		t.Fatalf("after the second enrolled: %+v", both)
	}
	of := second.orders(0, 0)
	if !bytes.Equal(of.SiteSecret, alone.SiteSecret) {
		t.Error("the relays of a site do not share its secret")
	}
	if bytes.Equal(elsewhere.orders(0, 0).SiteSecret, alone.SiteSecret) {
		t.Error("another site has the same secret")
	}
	told := first.orders(both.Revision, 0)
	i := slices.IndexFunc(told.Relays, func(r uplink.RelayOrder) bool { return r.ID == second.answer.Relay })
	if told.NotModified || i < 0 {
		t.Fatalf("after the second said where it is: %+v", told)
	}
	got := told.Relays[i]
	if got.Name != "second" || got.Cluster != second.cluster || got.Serves != second.serves || len(got.SignKey) != 32 ||
		!bytes.Equal(got.Certificate, second.answer.Certificate) {
		t.Errorf("the second relay: %+v", got)
	}
	if again := first.orders(told.Revision, 0); !again.NotModified {
		t.Error("the same addresses again are news")
	}
	w.must(w.call(adminOfA, "DELETE", "/v1/relays/"+second.answer.Relay.String(), "", nil), http.StatusNoContent, "revoking")
	if left := first.orders(told.Revision, 0); left.NotModified || len(left.Relays) != 1 {
		t.Errorf("after the second was revoked: %+v", left.Relays)
	}
}
