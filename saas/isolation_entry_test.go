package saas

import (
	"fmt"
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
	{name: "who gets another role", subject: "both", email: "both@example.org", group: "it", want: "both@example.org admin", before: []string{
		`INSERT INTO assim.identities SELECT $1, $3, 'both', id FROM assim.users WHERE email = 'both@example.org' AND $2::uuid IS NOT NULL`}},
	{name: "with the victim's address", subject: "new", email: "zvictim@zvictim.example"},
	{name: "of a domain that is the victim's", subject: "new", email: "new@zvictim-domain.example", before: []string{
		`UPDATE assim.domains SET proved_at = now() WHERE tenant = $2 AND $1::uuid <> tenant AND $3 <> ''`}},
	{name: "of a domain that is the own", subject: "new", email: "new@eve-domain.example", want: "new@eve-domain.example viewer", before: []string{
		`UPDATE assim.domains SET proved_at = now() WHERE tenant = $1 AND $2::uuid <> tenant AND $3 <> ''`}},
	{name: "who is a member of the victim's only", subject: "left", email: "reader@zvictim.example", before: []string{
		`INSERT INTO assim.identities SELECT $1, $3, 'left', id FROM assim.users WHERE email = 'reader@zvictim.example' AND $2::uuid IS NOT NULL`}},
}

// signIns lets people come in by the attacker's provider, and by secrets that are
// others'.
func (w *isolationWorld) signIns(report *tenancytest.Report, routes []tenancytest.Route) {
	w.t.Helper()
	has := func(name string) bool {
		return slices.ContainsFunc(routes, func(r tenancytest.Route) bool { return r.Name() == name })
	}
	if has("GET /sso/{tenant}/callback") {
		for _, s := range signOns {
			report.Try("single sign-on", s.name, func() string { return w.signOn(s) })
		}
	}
	if has("POST /signin/code") {
		report.Try("secrets of others", "a bystander's recovery code", w.recoveryCode)
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
	before := w.digest() // what was done here is no leak
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
	if what := w.aside.Differs(w.bystanders()); what != "" {
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

// recoveryCode signs in with the own password, and a code that is somebody else's.
func (w *isolationWorld) recoveryCode() string {
	w.t.Helper()
	codes, hashes := secondfactor.NewRecoveryCodes()
	d := w.fresh(tenancytest.Route{Path: "/signin/code"})
	w.global(`INSERT INTO assim.recovery_codes (user_id, hash) VALUES ($1, $2)`, w.bystander, hashes[0])
	aside := w.bystanders()
	a := w.suite.Send(d.As, "POST", "/signin/code", "code="+codes[0])
	if session := cookieOf(a, "assim"); session != "" || a.Status < http.StatusBadRequest {
		return fmt.Sprintf("answers %d", a.Status)
	}
	return aside.Differs(w.bystanders())
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
	w.session("zvictim@zvictim.example", ada.source.Tenant, time.Now(), time.Now().Add(time.Hour), true)
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
