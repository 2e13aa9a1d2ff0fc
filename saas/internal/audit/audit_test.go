package audit_test

import (
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"context"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store/storetest"
)

// known lets one actor in by any token.
type known struct{ actor web.Actor }

func (k known) BySession(context.Context, [32]byte) (web.Actor, error) {
	return web.Actor{}, web.ErrUnknownSession
}

func (k known) ByToken(context.Context, tenancy.Token, string) (web.Actor, error) {
	return k.actor, nil
}

func TestTheLog(t *testing.T) {
	db := storetest.Open(t)
	tenant, other := storetest.Tenant(t, db), storetest.Tenant(t, db)
	user := tenancy.NewID[tenancy.UserID]()
	ctx := web.WithActor(t.Context(), web.Actor{User: user, Address: "192.0.2.7"})
	write := func(tenant tenancy.TenantID, e audit.Entry) {
		t.Helper()
		if err := db.In(ctx, tenant, func(tx pgx.Tx) error { return audit.Write(ctx, tx, tenant, e) }); err != nil {
			t.Fatal(err)
		}
	}
	write(tenant, audit.Entry{Actor: "ada@example.org", Action: "member.role", Object: "m1", Before: map[string]string{"role": "viewer"}, After: map[string]string{"role": "admin"}})
	write(tenant, audit.Entry{Actor: "=cmd|x", Action: "members", Object: "m2"})
	write(tenant, audit.Entry{Actor: "bob@example.org", Action: "site.create", Object: "s1", Detail: map[string]string{"name": "paris"}})
	write(other, audit.Entry{Actor: "eve@evil.example", Action: "member.role", Object: "m3"})

	log := slog.New(slog.DiscardHandler)
	front := web.New(web.Config{Auth: known{web.Actor{Email: "ada@example.org", Role: tenancy.Admin, Tenant: tenant, Token: "x"}}, Hub: web.NewHub(db, log), Log: log,
		Metrics: prometheus.NewRegistry(), URL: &url.URL{Scheme: "http", Host: "localhost"}, Version: "test", Ready: db.Ping})
	s := &audit.Service{DB: db}
	s.Register(front.API)
	s.Pages(front)
	handler, err := front.Handler()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path string) (int, string) {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+tenancy.NewToken(tenancy.APIToken, [32]byte{}, "").String())
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	list := func(query string) (objects string, next string, rows []audit.Row) {
		t.Helper()
		status, body := ask("/v1/audit?" + query)
		var got struct {
			Items      []audit.Row
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, status, body)
		}
		var all []string
		for _, r := range got.Items {
			all = append(all, r.Object)
		}
		return strings.Join(all, " "), got.NextCursor, got.Items
	}
	for query, want := range map[string]string{
		"": "s1 m2 m1", "actor=ADA": "m1", "actor=192.0.2": "s1 m2 m1", "actor=%25": "", "action=member": "m1", "action=member.role": "m1", "action=site": "s1", "object=m2": "m2", "object=m3": "",
		"since=" + url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339)): "", "until=" + url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339)): "s1 m2 m1",
	} {
		if got, _, _ := list(query); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	first, next, _ := list("limit=2")
	second, end, rows := list("limit=2&cursor=" + next)
	if first != "s1 m2" || second != "m1" || end != "" {
		t.Errorf("pages %q, %q, then %q", first, second, end)
	}
	r := rows[0]
	if r.Address != "192.0.2.7" || r.UserID == nil || *r.UserID != user || string(r.Before) != `{"role": "viewer"}` && string(r.Before) != `{"role":"viewer"}` {
		t.Errorf("the entry is %+v", r)
	}
	if status, body := ask("/audit?action=member"); status != 200 || !strings.Contains(body, "role viewer -&gt; admin") || !strings.Contains(body, "192.0.2.7") || strings.Contains(body, "evil") {
		t.Errorf("the page: %d %s", status, body)
	}
	for _, path := range []string{"/v1/audit/export", "/audit/export?format=csv"} {
		_, body := ask(path)
		table, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil || len(table) != 4 || table[0][2] != "actor" || table[2][2] != "'=cmd|x" || table[3][6] == "" || strings.Contains(body, "evil") {
			t.Errorf("%s: %v %q", path, err, table)
		}
		_, body = ask(strings.Split(path, "?")[0] + "?format=json")
		if lines := strings.Split(strings.TrimSpace(body), "\n"); len(lines) != 3 || !json.Valid([]byte(lines[0])) {
			t.Errorf("%s as JSON: %s", path, body)
		}
	}
}
