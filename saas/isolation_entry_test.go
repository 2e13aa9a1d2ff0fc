package saas

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"assimilation/saas/internal/secondfactor"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/tenancytest"
)

// signOn is somebody whom the attacker's identity provider sends: it may say whatever
// it likes of people of its own tenant.
type signOn struct {
	name           string
	before         []string // SQL: $1 the attacker's tenant, $2 the victim's, $3 the issuer
	subject, email string
	group          string
	want           string // who they are then; "" for nobody
}

// signOns are what a provider may try. The two tenants may have the same one, as many
// have that of a large company.
var signOns = []signOn{
	{name: "whom both tenants know by one subject", subject: "both", email: "both@example.org", want: "both@example.org operator", before: []string{
		`INSERT INTO assim.identities SELECT $2, $3, 'both', id FROM assim.users WHERE email = 'zvictim@zvictim.example' AND $1::uuid IS NOT NULL`,
		`INSERT INTO assim.identities SELECT $1, $3, 'both', id FROM assim.users WHERE email = 'both@example.org' AND $2::uuid IS NOT NULL`}},
	{name: "who gets another role", subject: "role", email: "both@example.org", group: "it", want: "both@example.org admin", before: roleOf("both@example.org")},
	{name: "another who gets another role", subject: "role", email: "operator@evil.example", group: "it", want: "operator@evil.example admin", before: roleOf("operator@evil.example")},
	{name: "with the victim's address", subject: "new", email: "zvictim@zvictim.example"},
	{name: "of a domain that is the victim's", subject: "new", email: "new@zvictim-domain.example", before: []string{
		`UPDATE assim.domains SET proved_at = now() WHERE tenant = $2 AND $1::uuid <> tenant AND $3 <> ''`}},
	{name: "of a domain that is the own", subject: "new", email: "new@eve-domain.example", want: "new@eve-domain.example viewer", before: []string{
		`UPDATE assim.domains SET proved_at = now() WHERE tenant = $1 AND $2::uuid <> tenant AND $3 <> ''`}},
	{name: "who is a member of the victim's only", subject: "left", email: "reader@zvictim.example", before: []string{
		`INSERT INTO assim.identities SELECT $1, $3, 'left', id FROM assim.users WHERE email = 'reader@zvictim.example' AND $2::uuid IS NOT NULL`}},
}

// roleOf makes somebody known to the provider, whose role it may change: it may not change
// that of owners, as all others are.
func roleOf(email string) []string {
	const who = `(SELECT id FROM assim.users WHERE email = '`
	return []string{
		`INSERT INTO assim.identities SELECT $1, $3, 'role', ` + who + email + `') WHERE $2::uuid IS NOT NULL`,
		`UPDATE assim.members SET role = 'owner' WHERE tenant = $1 AND tenant <> $2::uuid AND $3 <> '' AND user_id <> ` + who + email + `')`,
		`UPDATE assim.members SET role = role WHERE tenant = $1 AND tenant <> $2::uuid AND $3 <> '' AND user_id = ` + who + email + `')`} // its row is the last of them
}

// wayIn lets people come in by the attacker's provider, and do what nobody may.
func (w *isolationWorld) wayIn(report *tenancytest.Report, routes []tenancytest.Route) {
	w.t.Helper()
	for _, r := range routes {
		if r.Name() == "GET /sso/{tenant}/callback" {
			for _, s := range signOns {
				report.Try("single sign-on", s.name, func() string { return w.signOn(s) })
			}
		}
		for _, c := range refusals {
			if r.Name() == c.route {
				report.Try("what nobody may", c.name, func() string { return w.refused(r, c) })
			}
		}
		for _, c := range crowds {
			if r.Name() == c.route {
				report.Try("crowds of others", c.path, func() string { return w.crowded(r, c) })
			}
		}
		switch r.Name() {
		case "GET /v1/entry":
			report.Try("what others demand", r.Name(), w.demands)
		case "POST /signin":
			report.Try("cookies", r.Name(), w.cookies)
		}
	}
}

// signOn goes to the provider and back.
func (w *isolationWorld) signOn(s signOn) string {
	w.t.Helper()
	w.again()
	tenant := w.suite.Attacker.ID
	for _, sql := range s.before {
		if _, err := w.admin.Exec(w.t.Context(), sql, tenant, w.suite.Victim.ID, w.provider.URL); err != nil {
			w.t.Fatalf("%s: %v", sql, err)
		}
	}
	before, aside := w.digest(), w.bystanders() // what was done here is no leak
	from := tenancytest.As{Address: w.somewhere()}
	left := w.suite.Send(from, "GET", "/sso/"+tenant.String(), "")
	there, err := url.Parse(left.Redirect())
	if err != nil || !strings.HasPrefix(left.Redirect(), w.provider.URL) {
		return fmt.Sprintf("leads to %q: %d %.200s", left.Redirect(), left.Status, left.Body)
	}
	from.Step = cookieOf(left, "assim-sso")
	w.provider.Nonce = there.Query().Get("nonce")
	w.provider.Claims = map[string]any{"sub": s.subject, "email": s.email, "groups": s.group, "aud": there.Query().Get("client_id")}
	back := w.suite.Send(from, "GET", "/sso/"+tenant.String()+"/callback?"+url.Values{"code": {"c"}, "state": {there.Query().Get("state")}}.Encode(), "")
	if what := before.Differs(w.digest()); what != "" {
		return "the victim's " + what
	}
	if what := aside.Differs(w.bystanders()); what != "" {
		return "a bystander's " + what
	}
	session := cookieOf(back, "assim")
	if s.want == "" {
		if session != "" || back.Status != http.StatusForbidden {
			return fmt.Sprintf("answers %d %.200s", back.Status, back.Body)
		}
		return ""
	}
	_, session, _ = strings.Cut(session, "=")
	me := w.suite.Send(tenancytest.As{Session: session}, "GET", "/v1/whoami", "")
	for _, part := range append(strings.Fields(s.want), tenant.String()) {
		if !strings.Contains(me.Body, `"`+part+`"`) {
			return fmt.Sprintf("is %.300s, want %s: %d %.200s", me.Body, s.want, back.Status, back.Body)
		}
	}
	return ""
}

// refusal is a request that one of the attacker's owners may not make, though it is
// about themselves.
type refusal struct {
	route, name string
	conflict    bool // with how things are
	// as makes what the request needs, and says who sends it where, and what.
	as func(*isolationWorld, *tenancytest.Doer) (path, body string)
}

// want are the answers of a guard.
func (c refusal) want() []int {
	if c.conflict {
		return []int{http.StatusConflict}
	}
	return []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}
}

var refusals = []refusal{
	{route: "POST /signin/code", name: "with a bystander's recovery code", as: func(w *isolationWorld, d *tenancytest.Doer) (string, string) {
		codes, hashes := secondfactor.NewRecoveryCodes()
		w.global(`INSERT INTO assim.recovery_codes (user_id, hash) VALUES ($1, $2)`, w.bystander, hashes[0])
		return "/signin/code", "code=" + codes[0]
	}},
	{route: "POST /invitation/accept", name: "an invitation of somebody else, to the victim", as: func(w *isolationWorld, d *tenancytest.Doer) (string, string) {
		text, hash := w.secret()
		w.global(`UPDATE assim.invitations SET hash = $1 WHERE email = 'guest-of-zvictim@zvictim.example'`, hash)
		return "/invitation/accept", "token=" + text
	}},
	{route: "POST /account/tenant", name: "into a tenant that takes no passwords", as: func(w *isolationWorld, d *tenancytest.Doer) (string, string) {
		var owing string
		w.one(&owing, `SELECT id::text FROM assim.tenants WHERE name = 'Owing'`)
		w.global(`INSERT INTO assim.members (tenant, user_id, role) VALUES ($1, $2, 'viewer')`, owing, d.Own["!id"][0])
		return "/account/tenant", "tenant=" + owing
	}},
	{route: "DELETE /v1/api-tokens/{id}", name: "a greater token by a lesser", as: func(w *isolationWorld, d *tenancytest.Doer) (string, string) {
		const email = "operator@evil.example"
		// A mutant may not read tokens any more.
		greater := strings.Split(w.token(email, w.suite.Attacker.ID, tenancy.Operator, nil, nil).Token, "_")[2]
		d.As = w.token(email, w.suite.Attacker.ID, tenancy.Viewer, nil, nil)
		return "/v1/api-tokens/" + greater, ""
	}},
	{route: "POST /v1/api-tokens", name: "a token that may more than its maker's", as: func(w *isolationWorld, d *tenancytest.Doer) (string, string) {
		d.As = w.token("operator@evil.example", w.suite.Attacker.ID, tenancy.Viewer, nil, nil)
		return "/v1/api-tokens", `{"name":"new","role":"operator"}`
	}},
	{route: "PUT /v1/members/{id}", name: "the last owner goes", conflict: true, as: func(w *isolationWorld, d *tenancytest.Doer) (string, string) {
		id := d.Own["!id"][0]
		w.global(`UPDATE assim.members SET role = 'admin' WHERE tenant = $1 AND role = 'owner' AND user_id <> $2`, w.suite.Attacker.ID, id)
		return "/v1/members/" + id, `{"role":"viewer"}`
	}},
	{route: "GET /v1/sites/{site}/topology", name: "what stays in a site, by a token that reads", as: func(w *isolationWorld, d *tenancytest.Doer) (string, string) {
		d.As = w.member("token viewer")
		return "/v1/sites/" + w.elsewhere + "/topology", ""
	}},
	{route: "GET /v1/sites/{site}/topology", name: "what stays in a site, by who reads there", as: func(w *isolationWorld, d *tenancytest.Doer) (string, string) {
		d.As = w.member("viewer elsewhere")
		return "/v1/sites/" + w.elsewhere + "/topology", ""
	}},
}

// refused makes the request, which must change nothing of anybody's, and be answered
// by a refusal.
func (w *isolationWorld) refused(r tenancytest.Route, c refusal) string {
	w.t.Helper()
	d := w.fresh(r)
	path, body := c.as(w, &d)
	before, aside, standing := w.digest(), w.bystanders(), w.standing()
	a := w.suite.Send(d.As, r.Method, path, body)
	for _, what := range []string{before.Differs(w.digest()), aside.Differs(w.bystanders())} {
		if what != "" {
			return what
		}
	}
	if !slices.Contains(c.want(), a.Status) || cookieOf(a, "assim") != "" || w.standing() != standing {
		return fmt.Sprintf("answers %d %.200s", a.Status, a.Body)
	}
	return ""
}

// demands looks what the attacker's tenant demands of its people, when all others
// demand everything.
func (w *isolationWorld) demands() string {
	w.t.Helper()
	d := w.fresh(tenancytest.Route{})
	w.global(`UPDATE assim.entry_rules SET totp_required = true, sso_required = true`)
	a := w.suite.Send(d.As, "GET", "/v1/entry", "")
	if a.Status != http.StatusOK || strings.Contains(a.Body, "_required\":true") {
		return fmt.Sprintf("answers %d %.200s", a.Status, a.Body)
	}
	return ""
}

// cookies looks at the cookie of a session where the service is reached over TLS: no
// other host of the domain, and nobody on the way, may set or see it.
func (w *isolationWorld) cookies() string {
	w.t.Helper()
	d := w.fresh(tenancytest.Route{})
	config := w.config
	config.URL = "https://localhost"
	s, err := New(w.t.Context(), config, slog.New(w.letters))
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	there := *w.suite
	there.Handler = s.handler
	a := there.Send(tenancytest.As{Address: d.Address}, "POST", "/signin", url.Values{"email": d.Own["?actor"], "password": d.Own["!password"]}.Encode())
	cookie := a.Header.Get("Set-Cookie")
	for _, part := range []string{"__Host-assim=", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"} {
		if !strings.Contains(cookie, part) {
			return fmt.Sprintf("%d: the cookie %.200q is without %s", a.Status, cookie, part)
		}
	}
	return ""
}

// member is one of those who knock, by name.
func (w *isolationWorld) member(name string) tenancytest.As {
	w.t.Helper()
	for _, m := range w.members {
		if m.Name == name {
			return m.As
		}
	}
	w.t.Fatalf("nobody is called %s", name)
	return tenancytest.As{}
}

// again brings back what was before.
func (w *isolationWorld) again() {
	w.t.Helper()
	w.posted() // some write as they are sent
	if err := w.kept.Restore(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// somewhere is an address from which nobody came yet.
func (w *isolationWorld) somewhere() string {
	w.doers++
	return fmt.Sprintf("10.9.%d.%d", w.doers/250%250, w.doers%250)
}

// cookieOf is a cookie that an answer sets, as name=value; "" when it does not.
func cookieOf(a tenancytest.Answer, name string) string {
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == name && c.Value != "" {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// sharedDomain is one of which both tenants say that it is theirs.
const sharedDomain = "shared.example"

// providers gives both tenants the same provider, and the victim somebody who came by
// it and somebody who is at it now.
func (w *isolationWorld) providers(ada, eve *estate) {
	w.t.Helper()
	for _, e := range []*estate{ada, eve} {
		body := fmt.Sprintf(`{"issuer":%q,"client_id":"%s-client","client_secret":"s","default_role":"viewer","role_claim":"groups","role_map":{"it":"admin"}}`, w.provider.URL, e.source.Tenant)
		if e == ada {
			body = strings.Replace(body, e.source.Tenant.String(), "zvictim", 1)
		}
		if status, answer := e.do("PUT", "/v1/entry/provider", body); status != http.StatusNoContent {
			w.t.Fatalf("setting a provider: %d %s", status, answer)
		}
		w.global(`INSERT INTO assim.domains (tenant, domain, challenge) VALUES ($1, $2, $3)`, e.source.Tenant, sharedDomain, sharedDomain+e.source.Tenant.String())
	}
	w.session("zvictim@zvictim.example", ada.source.Tenant, late(), late(), true)
	_, hash := w.secret()
	w.global(`INSERT INTO assim.sso_attempts (hash, tenant, issuer, state, nonce, verifier, next, created_at, expires_at) VALUES ($1, $2, 'x', $1, 'n', 'v', '/', now(), now() + interval '1 hour')`,
		hash, ada.source.Tenant)
}

// appCode sets a second factor, begun or not yet, and returns its code of now.
func (w *isolationWorld) appCode(id tenancy.UserID, began string) string {
	w.t.Helper()
	master, err := keys.Load(w.config.MasterKeyFile)
	if err != nil {
		w.t.Fatal(err)
	}
	secret := secondfactor.NewSecret()
	w.global(`UPDATE assim.users SET totp_secret = $2, totp_at = `+began+` WHERE id = $1`, id, master.Wrap(keys.OfSecondFactor(id), secret))
	code, err := secondfactor.Code(secret, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}
