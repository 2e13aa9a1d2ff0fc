package saas

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"assimilation/saas/internal/hosts"
	"assimilation/uplink"
)

func TestAHostIsKnownByTheNameThatItWasGiven(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	m := ada.machine("ip-10-0-0-5")
	ada.send()
	if status, body := ada.do("POST", "/v1/hosts/ip-10-0-0-5/rename", `{"name":"billing-1"}`); status != http.StatusOK || !strings.Contains(body, `"name":"billing-1"`) {
		t.Fatalf("rename: %d %s", status, body)
	}
	m.state(uplink.Silent) // which says its own name again
	m.name = "ip-10-0-0-6"
	m.state(uplink.Up)
	ada.send()
	if h := get[hostAnswer](ada.client, "/v1/hosts/billing-1"); h.ID != m.id.String() || h.State != "up" {
		t.Errorf("by its given name: %+v", h)
	}
	if status, body := ada.do("POST", "/v1/graph/query", `{"query":"MATCH (h:Host) RETURN h.name"}`); status != http.StatusOK || !strings.Contains(body, "billing-1") || strings.Contains(body, "ip-10") {
		t.Errorf("in the graph: %d %s", status, body)
	}
	if n := ada.count(`SELECT count(*)::int FROM assim.audit WHERE action = 'host.rename' AND detail->>'before' = 'ip-10-0-0-5'`); n != 1 {
		t.Errorf("%d entries in the audit log, want 1", n)
	}
	// Its own again, which has changed meanwhile.
	if status, body := ada.do("POST", "/v1/hosts/billing-1/rename", `{"name":""}`); status != http.StatusOK || !strings.Contains(body, `"name":"ip-10-0-0-6"`) {
		t.Errorf("back: %d %s", status, body)
	}
	if status, body := ada.do("POST", "/v1/hosts/ip-10-0-0-6/rename", `{"name":"a\u0007b"}`); status != http.StatusUnprocessableEntity {
		t.Errorf("a name that is no plain text: %d %s", status, body)
	}
}

func TestEphemeralHostsGoByThemselves(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	for _, name := range []string{"stays", "gone", "nonsense", "lasting", "up"} {
		m := ada.machine(name)
		if name != "up" {
			m.state(uplink.Down)
		}
	}
	ada.send()
	ada.count(`WITH done AS (UPDATE assim.hosts SET state_at = now() - interval '1 hour', labels = CASE name
		WHEN 'gone' THEN '{"ephemeral":"30m"}'::jsonb WHEN 'up' THEN '{"ephemeral":"30m"}'
		WHEN 'stays' THEN '{"ephemeral":"2h"}' WHEN 'nonsense' THEN '{"ephemeral":"soon"}' ELSE '{}' END RETURNING 1) SELECT count(*)::int FROM done`)
	machines := &hosts.Service{DB: s.db, Log: slog.New(slog.DiscardHandler), Forget: s.core.Forget, Rename: s.core.Rename}
	for range 2 {
		if err := (hosts.Expiry{Service: machines}).Look(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if left := names(get[list[hostAnswer]](ada.client, "/v1/hosts").Items); strings.Join(left, " ") != "lasting nonsense stays up" {
		t.Errorf("left: %q", left)
	}
	if n := ada.count(`SELECT count(*)::int FROM assim.audit WHERE action = 'host.retire' AND actor LIKE 'the service%'`); n != 1 {
		t.Errorf("%d entries in the audit log, want 1", n)
	}
	if status, body := ada.do("POST", "/v1/sites/paris/tokens", `{"kind":"probe","labels":{"ephemeral":"soon"}}`); status != http.StatusUnprocessableEntity || !strings.Contains(body, "5m to 8784h") {
		t.Errorf("a token with nonsense: %d %s", status, body)
	}
}
