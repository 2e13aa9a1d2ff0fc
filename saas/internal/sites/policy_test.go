package sites_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/sites"
	"assimilation/tenancy"
	"assimilation/uplink"
)

func TestPolicyReachesRelaysAndTheAuditLog(t *testing.T) {
	w := newWorld(t)
	var forgotten []tenancy.SiteID
	w.service.ForgetTopology = func(_ context.Context, _ pgx.Tx, tenant tenancy.TenantID, site tenancy.SiteID) error {
		if tenant != w.a.id {
			t.Errorf("forgetting for tenant %s", tenant)
		}
		forgotten = append(forgotten, site)
		return nil
	}
	site := w.site(adminOfA, "berlin")
	if site.Policy.Residency != uplink.SiteOnly || site.Policy.BeatMS != 1000 {
		t.Errorf("a new site's policy is %+v", site.Policy)
	}
	r := w.enrolled("berlin", "relay-1")
	before := r.orders(0, 0)
	if p := before.Policy; p.Residency != uplink.SiteOnly || p.Beat != 1000 || p.Decided != 0 {
		t.Errorf("orders say %+v", p)
	}
	set := func(body string) sites.Site {
		t.Helper()
		var changed sites.Site
		w.must(w.call(adminOfA, "PATCH", "/v1/sites/berlin", body, &changed), http.StatusOK, body)
		return changed
	}

	changed := set(`{"residency":"replicate","beat_ms":500,"places":{"role=db":"cage 4"}}`)
	if p := changed.Policy; p.Residency != uplink.Replicate || p.BeatMS != 500 || p.Places["role=db"] != "cage 4" {
		t.Errorf("%+v", p)
	}
	first := r.orders(before.Revision, 20*time.Second)
	if p := first.Policy; p.Residency != uplink.Replicate || p.Beat != 500 || p.Places["role=db"] != "cage 4" || p.Decided == 0 {
		t.Errorf("orders say %+v", p)
	}
	set(`{"residency":"replicate"}`)
	if o := r.orders(first.Revision, 0); !o.NotModified {
		t.Errorf("what changes nothing is ordered: %+v", o.Policy)
	}
	set(`{"beat_ms":2000}`)
	if p := r.orders(0, 0).Policy; p.Beat != 2000 || p.Residency != uplink.Replicate || p.Decided != first.Policy.Decided || len(p.Places) != 1 {
		t.Errorf("after another beat: %+v", p)
	}
	if len(forgotten) != 0 {
		t.Error("topology was forgotten before anybody decided so")
	}
	set(`{"residency":"site"}`)
	if len(forgotten) != 1 || forgotten[0] != site.ID {
		t.Errorf("forgotten: %v", forgotten)
	}
	set(`{"residency":"replicate"}`)
	if p := r.orders(0, 0).Policy; p.Decided <= first.Policy.Decided {
		t.Errorf("a relay cannot tell the second decision from the first: %+v", p)
	}
	if n := query[int](w, w.a.id, `SELECT count(*) FROM assim.audit WHERE action = 'site.policy'`); n != 4 {
		t.Errorf("%d changes are in the audit log", n)
	}
	change := query[string](w, w.a.id, `SELECT before::text || after::text FROM assim.audit WHERE action = 'site.policy' ORDER BY id LIMIT 1`)
	for _, want := range []string{`"residency": "site"`, `"beat_ms": "1000"`, `"residency": "replicate"`, `"beat_ms": "500"`} {
		if !strings.Contains(change, want) {
			t.Errorf("the audit log says %s, without %s", change, want)
		}
	}
}

func TestImpossiblePoliciesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	for _, body := range []string{
		`{"residency":"moon"}`, `{"beat_ms":100}`, `{"beat_ms":60000}`, `{"places":{"":"x"}}`, `{"places":{"role=db":""}}`,
		fmt.Sprintf(`{"places":{"role=db":%q}}`, strings.Repeat("x", 300)), `{"places":{"role=db":"a\u0007"}}`,
	} {
		w.must(w.call(adminOfA, "PATCH", "/v1/sites/berlin", body, nil), http.StatusUnprocessableEntity, body)
	}
	w.must(w.call(viewerOfA, "PATCH", "/v1/sites/berlin", `{"beat_ms":2000}`, nil), http.StatusForbidden, "a viewer")
	w.must(w.call(adminOfA, "PATCH", "/v1/sites/nowhere", `{"beat_ms":2000}`, nil), http.StatusNotFound, "no such site")
}

func TestAQuestionWakesTheRelay(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	now := r.orders(0, 0)
	question := uplink.Question{ID: make([]byte, 16), Kind: "topology", At: time.Now().UnixMilli()}
	w.service.Questions = func(_ context.Context, relay relaychan.Relay) ([]uplink.Question, error) {
		if relay.ID != r.answer.Relay {
			t.Errorf("asked for the questions of relay %s", relay.ID)
		}
		return []uplink.Question{question}, nil
	}
	o := r.orders(now.Revision, 20*time.Second)
	if !o.NotModified || len(o.Questions) != 1 || o.Questions[0].Kind != "topology" || o.Revision != now.Revision {
		t.Errorf("orders = %+v", o)
	}
}
