package saas

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/quota"
)

// oneMore is how somebody makes one more of a thing.
type oneMore struct {
	// fill makes $2 of them for the tenant $1.
	fill string
	ask  func(e *estate) (status int, answer string)
	// elsewhere is the test that asks, where that takes more than a request.
	elsewhere string
}

func post(path, body string) func(*estate) (int, string) {
	return func(e *estate) (int, string) { return e.do("POST", path, body) }
}

const (
	fillMembers = `WITH u AS (INSERT INTO assim.users (id, email, password_hash) SELECT gen_random_uuid(), 'u' || gen_random_uuid() || '@example.org', '' FROM generate_series(1, $2::bigint) RETURNING id)
		INSERT INTO assim.members (tenant, user_id, role) SELECT $1, id, 'viewer' FROM u`
	// As many sites as take the roles of a hundred members, who are there first.
	fillSiteRoles = `WITH u AS (INSERT INTO assim.users (id, email, password_hash) SELECT gen_random_uuid(), 'u' || gen_random_uuid() || '@example.org', '' FROM generate_series(1, 100) RETURNING id),
		m AS (INSERT INTO assim.members (tenant, user_id, role) SELECT $1, id, 'viewer' FROM u RETURNING user_id),
		s AS (INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private)
			SELECT gen_random_uuid(), $1, 'site-' || n, 'r', sha256(gen_random_uuid()::text::bytea), '' FROM generate_series(1, 1 + $2::bigint / 100) n RETURNING id)
		INSERT INTO assim.site_members (tenant, user_id, site, role) SELECT $1, m.user_id, s.id, 'operator' FROM m, s LIMIT $2`
)

var oneMoreOf = map[quota.Thing]oneMore{
	quota.Sites: {ask: post("/v1/sites", `{"name":"lyon"}`), fill: `INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private)
		SELECT gen_random_uuid(), $1, 'site-' || n, 'r', sha256(gen_random_uuid()::text::bytea), '' FROM generate_series(1, $2::bigint) n`},
	quota.Tokens: {ask: post("/v1/sites/paris/tokens", `{"kind":"probe"}`), fill: `INSERT INTO assim.tokens (id, tenant, site, kind, name, hash, labels, created_by)
		SELECT 't' || n, $1, (SELECT id FROM assim.sites WHERE tenant = $1), 'enr', '', '', '{}', '' FROM generate_series(1, $2::bigint) n`},
	quota.Exporters: {ask: post("/v1/exporters", `{"name":"one more","protocol":"grpc","endpoint":"https://collector.example.org:4317"}`),
		fill: `INSERT INTO assim.exporters (tenant, id, name, protocol, endpoint, compression, signals, headers, secret, created_at, event_id, changed, sampled_at, next_at)
			SELECT $1, gen_random_uuid(), n::text, 'grpc', 'e', 'gzip', '{events}', '{}', '', now(), 0, '{}', now(), now() FROM generate_series(1, $2::bigint) n`},
	quota.Webhooks: {ask: post("/v1/webhooks", `{"name":"one more","url":"https://hooks.example.org/"}`),
		fill: `INSERT INTO assim.webhooks (tenant, id, name, url, types, state, secret, created_at, event_id, next_at)
			SELECT $1, gen_random_uuid(), n::text, 'https://hooks.example.org/', '{}', 'off', '', now(), 0, now() FROM generate_series(1, $2::bigint) n`},
	quota.Views: {ask: post("/v1/views", `{"name":"one more","page":"/hosts","query":"state=down"}`),
		fill: `INSERT INTO assim.views (tenant, id, page, query, name, created_by) SELECT $1, gen_random_uuid(), '/', '', n::text, '' FROM generate_series(1, $2::bigint) n`},
	quota.Invitations: {ask: post("/v1/invitations", `{"email":"bob@example.org","role":"viewer"}`),
		fill: `INSERT INTO assim.invitations (id, tenant, hash, email, role, invited_by, created_at, expires_at, inviter)
			SELECT gen_random_uuid(), $1, sha256(n::text::bytea), n || '@example.org', 'viewer', '', now(), now() + interval '1 day', (SELECT user_id FROM assim.members WHERE tenant = $1) FROM generate_series(1, $2::bigint) n`},
	quota.APITokens: {ask: post("/v1/api-tokens", `{"name":"one more","role":"viewer"}`),
		fill: `INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role) SELECT 'k' || n, $1, NULL, '', '', 'viewer' FROM generate_series(1, $2::bigint) n`},
	quota.Domains: {ask: post("/v1/entry/domains", `{"domain":"example.org"}`),
		fill: `INSERT INTO assim.domains (tenant, domain, challenge) SELECT $1, 'd' || n || '.example.org', '' FROM generate_series(1, $2::bigint) n`},
	quota.Members: {fill: fillMembers, ask: func(e *estate) (int, string) {
		status, answer := e.do("POST", "/v1/invitations", `{"email":"bob@example.org","role":"viewer"}`)
		var made struct{ Link string }
		if err := json.Unmarshal([]byte(answer), &made); err != nil || status != http.StatusCreated {
			e.s.t.Fatalf("inviting: %d %s", status, answer)
		}
		link, err := url.Parse(made.Link)
		if err != nil {
			e.s.t.Fatal(err)
		}
		return client{s: e.s}.do("POST", "/signup", url.Values{"invitation": link.Query()["token"], "password": {"correct horse battery"}}.Encode())
	}},
	quota.SiteRoles: {fill: fillSiteRoles, ask: func(e *estate) (int, string) {
		var owner string
		for _, m := range get[list[struct{ ID, Role string }]](e.client, "/v1/members").Items {
			if m.Role == "owner" {
				owner = m.ID
			}
		}
		return e.do("PUT", "/v1/members/"+owner+"/sites/"+e.source.Site.String(), `{"role":"operator"}`)
	}},
	quota.Relays:     {elsewhere: "internal/sites/enrol_test.go"},
	quota.Identities: {elsewhere: "internal/sso/hostile_test.go"},
}

// Whatever people make, there can be so many of it, and who asks for one more hears
// how many, and what to do.
func TestOneMoreIsRefused(t *testing.T) {
	s := newService(t)
	admin, err := pgx.Connect(t.Context(), s.config.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	for n, thing := range quota.Things {
		t.Run(string(thing), func(t *testing.T) {
			more, ok := oneMoreOf[thing]
			if !ok {
				t.Fatal("nobody asks for one more: say in oneMoreOf how")
			}
			if more.elsewhere != "" {
				if source, err := os.ReadFile(more.elsewhere); err != nil || !strings.Contains(string(source), "Bound()") {
					t.Errorf("%s asks for no more than there may be: %v", more.elsewhere, err)
				}
				return
			}
			ada := s.signUp(fmt.Sprintf("ada-%d@example.org", n), fmt.Sprintf("Tenant %d", n), "paris")
			table, most := thing.Bound()
			if most == 0 { // as the operator wants it
				most = 7
				if _, err := admin.Exec(t.Context(), `INSERT INTO assim.quotas (tenant, `+table+`) VALUES ($1, $2)`, ada.source.Tenant, most); err != nil {
					t.Fatal(err)
				}
			}
			has := func() (n int64) {
				t.Helper()
				if err := admin.QueryRow(t.Context(), `SELECT count(*) FROM assim.`+table+` WHERE tenant = $1`, ada.source.Tenant).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			if _, err := admin.Exec(t.Context(), more.fill, ada.source.Tenant, most-has()); err != nil {
				t.Fatal(err)
			}
			status, answer := more.ask(ada)
			for _, part := range []string{fmt.Sprintf("%d %s", most, thing), fmt.Sprintf("may have %d; ", most)} {
				if status != http.StatusConflict || !strings.Contains(answer, part) {
					t.Errorf("one more: %d %s, which says nothing of %q", status, answer, part)
				}
			}
			if strings.HasPrefix(answer, "{") && !strings.Contains(answer, `"over_quota"`) {
				t.Errorf("one more: %s", answer)
			}
			if n := has(); n != most {
				t.Errorf("%d %s, want %d", n, thing, most)
			}
		})
	}
}
