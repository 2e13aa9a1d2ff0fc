package saas

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"assimilation/tenancy/tenancytest"
)

// crowd is what others have so much of that the oldest of theirs would go: it must not
// take the place of one's own.
type crowd struct {
	route, path, body string
	others, own       string // SQL that makes rows; @me, @other and @tenant are identifiers
	left              string // SQL that counts rows which stay
}

const hash32 = `uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())`

var crowds = []crowd{
	{route: "POST /signin", path: "/signin",
		others: `INSERT INTO assim.sessions (hash, user_id, tenant, created_at, expires_at) SELECT ` + hash32 + `, @other, @tenant, now() + interval '1 minute', now() + interval '1 hour' FROM generate_series(1, 120)`,
		left:   `SELECT count(*) FROM assim.sessions WHERE user_id = @me`},
	{route: "POST /reset", path: "/reset",
		others: `INSERT INTO assim.links (hash, purpose, user_id, created_at, expires_at) SELECT ` + hash32 + `, 'reset', @other, now() + interval '1 minute', now() + interval '1 hour' FROM generate_series(1, 10)`,
		own:    `INSERT INTO assim.links (hash, purpose, user_id, email, created_at, expires_at) VALUES (` + hash32 + `, 'reset', @me, 'mine', now(), now() + interval '1 hour')`,
		left:   `SELECT count(*) FROM assim.links WHERE email = 'mine'`},
	{route: "POST /v1/api-tokens", path: "/v1/api-tokens", body: `{"name":"new"}`,
		others: `INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role, revoked_at) SELECT 'ended' || n, m.tenant, m.user_id, 'x', ` + hash32 + `, 'viewer', now()
			FROM generate_series(1, 600) n, assim.members m JOIN assim.users u ON u.id = m.user_id WHERE u.email = 'owes@owing.example'`,
		own:  `INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role, revoked_at) VALUES ('ended', @tenant, @me, 'x', ` + hash32 + `, 'viewer', now() - interval '1 hour')`,
		left: `SELECT count(*) FROM assim.api_tokens WHERE id = 'ended'`},
	{route: "POST /v1/entry/domains", path: "/v1/entry/domains", body: `{"domain":"one-more.example"}`, // 20 are all that a tenant may have
		others: `INSERT INTO assim.domains (tenant, domain, challenge) SELECT id, n || '.example', 'x' FROM generate_series(1, 20) n, assim.tenants WHERE name = 'Owing'`,
		left:   `SELECT count(*) FROM assim.domains`},
	{route: "GET /queries/{name}", path: "/queries/packagename?name=x",
		others: `INSERT INTO assim.asked (tenant, person, hash, address, said, at) SELECT @tenant, @other, ` + hash32 + `, '/x', 'x', now() + interval '1 minute' FROM generate_series(1, 220)`,
		own:    `INSERT INTO assim.asked (tenant, person, hash, address, said, at) VALUES (@tenant, @me, ` + hash32 + `, '/x', 'mine', now() - interval '1 minute')`,
		left:   `SELECT count(*) FROM assim.asked WHERE said = 'mine'`},
	{route: "GET /queries/{name}", path: "/queries/packagename?name=y",
		others: `INSERT INTO assim.asked (tenant, person, hash, address, said, at) SELECT @tenant, @me, ` + hash32 + `, '/x', 'x', now() + interval '1 minute' FROM generate_series(1, 220)`,
		left:   `SELECT count(*) FROM assim.asked WHERE person = @other`},
}

// crowded makes the rows, sends the request, and looks whether any went.
func (w *isolationWorld) crowded(r tenancytest.Route, c crowd) string {
	w.t.Helper()
	d := w.fresh(r)
	ids := strings.NewReplacer("@me", "'"+d.Own["!id"][0]+"'::uuid", "@other", "'"+w.bystander+"'::uuid", "@tenant", "'"+w.suite.Attacker.ID.String()+"'::uuid")
	w.global(ids.Replace(c.others))
	if c.own != "" {
		w.global(ids.Replace(c.own))
	}
	var before, after int
	w.one(&before, ids.Replace(c.left))
	body := c.body
	if !r.API && !r.Safe() {
		body = url.Values{"email": d.Own["?actor"], "password": d.Own["!password"]}.Encode()
	}
	a := w.suite.Send(d.As, r.Method, c.path, body)
	w.posted() // some write as they are sent
	w.one(&after, ids.Replace(c.left))
	if a.Status >= http.StatusBadRequest || before == 0 || after < before {
		return fmt.Sprintf("%d; %d rows were there, %d are: %.200s", a.Status, before, after, a.Body)
	}
	return ""
}
