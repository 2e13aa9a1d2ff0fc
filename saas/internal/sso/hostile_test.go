package sso_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/internal/oidctest"
	"assimilation/saas/internal/accounts"
	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/members"
	"assimilation/saas/internal/outbound"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/sso"
	"assimilation/saas/internal/web"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// rig is the service's people, on a real database.
type rig struct {
	t       *testing.T
	db      *store.DB
	handler http.Handler
	txt     map[string][]string // DNS
}

func newRig(t *testing.T, private bool) *rig {
	t.Helper()
	master, err := keys.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, db: storetest.Open(t), txt: map[string][]string{}}
	log, metrics, public := slog.New(slog.DiscardHandler), prometheus.NewRegistry(), &url.URL{Scheme: "http", Host: "localhost"}
	post, err := mail.New("", "", log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	company := members.New(members.Config{DB: r.db, Post: post, URL: public, Log: log})
	people := accounts.New(accounts.Config{DB: r.db, Master: master, Log: log, Post: post, URL: public, Joining: company})
	entry := sso.New(sso.Config{DB: r.db, Master: master, Log: log, URL: public, Client: outbound.Client(private), Private: private, SessionSeconds: accounts.SessionSeconds, Enter: people.Enter,
		LookupTXT: func(_ context.Context, name string) ([]string, error) { return r.txt[name], nil }})
	front := web.New(web.Config{Auth: people, Hub: web.NewHub(r.db, log), Log: log, Metrics: metrics, URL: public, Version: "test", Ready: r.db.Ping})
	people.Register(front.API)
	people.Pages(front)
	company.Register(front.API)
	company.Pages(front)
	entry.Register(front.API)
	entry.Pages(front)
	if r.handler, err = front.Handler(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if !strings.HasPrefix(path, "/v1/") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "text/html")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return w
}

// tenant is one with an owner.
type tenant struct {
	r     *rig
	id    string
	token string
}

func (r *rig) signUp(email, name string) tenant {
	r.t.Helper()
	w := r.do("POST", "/v1/signup", `{"email":"`+email+`","password":"correct horse battery","tenant":"`+name+`"}`)
	var got struct {
		Token  string
		Tenant struct{ ID string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 201 {
		r.t.Fatalf("sign up: %d %s", w.Code, w.Body)
	}
	return tenant{r, got.Tenant.ID, got.Token}
}

func (t tenant) call(method, path, body string, want int) string {
	t.r.t.Helper()
	w := t.r.do(method, path, body, "Authorization", "Bearer "+t.token)
	if w.Code != want {
		t.r.t.Fatalf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, want)
	}
	return w.Body.String()
}

// set makes the liar the tenant's provider.
func (t tenant) set(l *oidctest.Provider, more string) {
	t.r.t.Helper()
	t.call("PUT", "/v1/entry/provider", `{"issuer":"`+l.URL+`","client_id":"client","client_secret":"secret"`+more+`}`, 204)
}

// own makes a domain the tenant's.
func (t tenant) own(domain string) {
	t.r.t.Helper()
	var made struct{ Challenge string }
	json.Unmarshal([]byte(t.call("POST", "/v1/entry/domains", `{"domain":"`+domain+`"}`, 201)), &made)
	t.r.txt[domain] = []string{"v=spf1 -all", made.Challenge}
	t.call("POST", "/v1/entry/domains/"+domain+"/prove", "", 204)
}

// trip is a browser's way to the provider and back.
type trip struct {
	cookie string
	there  url.Values
}

func (t tenant) leave(l *oidctest.Provider) trip {
	t.r.t.Helper()
	w := t.r.do("GET", "/sso/"+t.id, "")
	there, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != 303 || !strings.HasPrefix(there.String(), l.URL+"/auth?") {
		t.r.t.Fatalf("leaving: %d to %s %s", w.Code, there, w.Body)
	}
	q := there.Query()
	l.Nonce = q.Get("nonce")
	c := w.Result().Cookies()[0]
	return trip{c.Name + "=" + c.Value, q}
}

func (t tenant) comeBack(b trip, query url.Values) *httptest.ResponseRecorder {
	return t.r.do("GET", "/sso/"+t.id+"/callback?"+query.Encode(), "", "Cookie", b.cookie)
}

// enter goes the whole way, and returns the session's cookie, if there is one.
func (t tenant) enter(l *oidctest.Provider) (status int, cookie string) {
	t.r.t.Helper()
	b := t.leave(l)
	w := t.comeBack(b, url.Values{"code": {"c"}, "state": {b.there.Get("state")}})
	for _, c := range w.Result().Cookies() {
		if c.Name == "assim" {
			cookie = c.Name + "=" + c.Value
		}
	}
	return w.Code, cookie
}

func (r *rig) whoami(cookie string) (email, tenantID, role string) {
	var me struct {
		Email, Role string
		Tenant      struct{ ID string }
	}
	json.Unmarshal(r.do("GET", "/v1/whoami", "", "Cookie", cookie).Body.Bytes(), &me)
	return me.Email, me.Tenant.ID, me.Role
}

func (r *rig) number(sql string) (n int) {
	r.t.Helper()
	err := r.db.Global(r.t.Context(), func(tx pgx.Tx) error { return tx.QueryRow(r.t.Context(), sql).Scan(&n) })
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestSomebodyNewComesIn(t *testing.T) {
	r, l := newRig(t, true), oidctest.New(t)
	a := r.signUp("owner@corp.example", "Corp")
	a.set(l, `,"default_role":"viewer","role_claim":"groups","role_map":{"ops":"operator","it":"admin"}`)
	if status, cookie := a.enter(l); status != 403 || cookie != "" {
		t.Errorf("of a domain that nobody proved: %d", status)
	}
	a.call("POST", "/v1/entry/domains", `{"domain":"example.org"}`, 201)
	a.call("POST", "/v1/entry/domains/example.org/prove", "", 409)
	a.call("DELETE", "/v1/entry/domains/example.org", "", 204)
	a.own("example.org")
	b := a.leave(l)
	if b.there.Get("code_challenge_method") != "S256" || b.there.Get("code_challenge") == "" || b.there.Get("redirect_uri") != "http://localhost/sso/"+a.id+"/callback" {
		t.Errorf("the request is %v", b.there)
	}
	status, cookie := a.enter(l)
	if email, in, role := r.whoami(cookie); status != 303 || email != "ada@example.org" || in != a.id || role != "viewer" {
		t.Fatalf("she is %s in %s as %s (%d)", email, in, role, status)
	}
	if l.Verifier == "" {
		t.Error("the code came without PKCE")
	}
	// Roles follow the claim, the highest of several; no claim makes an owner.
	for _, test := range []struct {
		groups any
		want   string
	}{{[]string{"ops", "staff"}, "operator"}, {[]string{"ops", "it"}, "admin"}, {"ops", "operator"}, {[]string{"owner"}, "operator"}, {7, "operator"}, {nil, "operator"}} {
		l.Claims = map[string]any{"groups": test.groups}
		_, cookie := a.enter(l)
		if _, _, role := r.whoami(cookie); role != test.want {
			t.Errorf("groups %v: %s, want %s", test.groups, role, test.want)
		}
	}
	// What she may not: her own affairs, with a session that the tenant's provider made.
	for _, path := range []string{"/account/password", "/account/address", "/account/second-factor", "/invitation/accept?token=x"} {
		if w := r.do("GET", path, "", "Cookie", cookie); w.Code != 403 {
			t.Errorf("%s after single sign-on: %d", path, w.Code)
		}
	}
	if n := r.number(`SELECT count(*) FROM assim.users WHERE email = 'ada@example.org' AND password_hash = ''`); n != 1 {
		t.Error("she has a password")
	}
	if w := r.do("POST", "/v1/login", `{"email":"ada@example.org","password":""}`); w.Code != 401 {
		t.Errorf("an empty password: %d", w.Code)
	}
}

// A tenant's provider says that it knows somebody of another tenant.
func TestAProviderOpensNoOtherTenant(t *testing.T) {
	r, l := newRig(t, true), oidctest.New(t)
	r.signUp("ada@example.org", "Ada's")
	evil := r.signUp("eve@evil.example", "Evil")
	evil.set(l, `,"default_role":"admin"`)
	if status, cookie := evil.enter(l); status != 403 || cookie != "" {
		t.Errorf("ada's address, without a proof of its domain: %d %q", status, cookie)
	}
	if n := r.number(`SELECT count(*) FROM assim.members`); n != 2 {
		t.Errorf("%d members", n)
	}
	// Even where the domain's DNS says that it is eve's, ada's tenant stays closed.
	evil.own("example.org")
	if status, cookie := evil.enter(l); status != 403 || cookie != "" {
		t.Errorf("an account that nobody has proved to be theirs: %d %q", status, cookie)
	}
	err := r.db.Global(t.Context(), func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE assim.users SET verified_at = now() WHERE email = 'ada@example.org'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, cookie := evil.enter(l)
	email, in, _ := r.whoami(cookie)
	if email != "ada@example.org" || in != evil.id {
		t.Fatalf("%s in %s", email, in)
	}
	var ids struct{ Items []struct{ ID string } }
	json.Unmarshal(r.do("GET", "/v1/tenants", "", "Cookie", cookie).Body.Bytes(), &ids)
	if len(ids.Items) != 1 || ids.Items[0].ID != evil.id {
		t.Errorf("she sees the tenants %v", ids.Items)
	}
	for _, id := range []string{"ada", r.id("Ada's")} {
		if w := r.do("POST", "/account/tenant", "tenant="+id, "Cookie", cookie); w.Code != 403 {
			t.Errorf("switching to %s: %d", id, w.Code)
		}
	}
}

func (r *rig) id(name string) (id string) {
	err := r.db.Global(r.t.Context(), func(tx pgx.Tx) error {
		return tx.QueryRow(r.t.Context(), `SELECT id::text FROM assim.tenants WHERE name = $1`, name).Scan(&id)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// Where no mail is sent a stranger can sign up with any address. That opens nothing of
// whom the address belongs to, when they come in by their organisation.
func TestAStrangersAccountIsNotTheirs(t *testing.T) {
	r, l := newRig(t, true), oidctest.New(t)
	corp := r.signUp("owner@corp.example", "Corp")
	corp.set(l, `,"default_role":"admin"`)
	corp.own("example.org")
	r.signUp("ada@example.org", "A stranger's")
	if status, cookie := corp.enter(l); status != 403 || cookie != "" {
		t.Errorf("she came in, with %q (%d)", cookie, status)
	}
	if n := r.number(`SELECT count(*) FROM assim.members m JOIN assim.tenants t ON t.id = m.tenant WHERE t.name = 'Corp'`); n != 1 {
		t.Errorf("the stranger is one of %d members", n)
	}
}

func TestLiesAreNotBelieved(t *testing.T) {
	r, l := newRig(t, true), oidctest.New(t)
	a := r.signUp("owner@corp.example", "Corp")
	a.set(l, `,"default_role":"viewer"`)
	a.own("example.org")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		claims map[string]any
		alg    jose.SignatureAlgorithm
		signer any
		want   int
	}{
		{"another nonce", map[string]any{"nonce": "other"}, jose.RS256, l.Key, 502},
		{"no nonce", map[string]any{"nonce": ""}, jose.RS256, l.Key, 502},
		{"another audience", map[string]any{"aud": "somebody else"}, jose.RS256, l.Key, 502},
		{"another issuer", map[string]any{"iss": "https://accounts.example"}, jose.RS256, l.Key, 502},
		{"expired", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, jose.RS256, l.Key, 502},
		{"another key", nil, jose.RS256, other, 502},
		{"signed with the client's secret", nil, jose.HS256, []byte("secret secret secret secret secret"), 502},
		{"another access token", map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, jose.RS256, l.Key, 502},
		{"no subject", map[string]any{"sub": ""}, jose.RS256, l.Key, 502},
		{"address not verified", map[string]any{"email_verified": false}, jose.RS256, l.Key, 403},
		{"nothing said of verified", map[string]any{"email_verified": nil}, jose.RS256, l.Key, 403},
		{"no address", map[string]any{"email": nil}, jose.RS256, l.Key, 403},
		{"another domain", map[string]any{"email": "ada@example.org.evil.example"}, jose.RS256, l.Key, 403},
		{"two domains", map[string]any{"email": "ada@evil.example@example.org"}, jose.RS256, l.Key, 403},
		{"a list of addresses", map[string]any{"email": []string{"ada@example.org"}}, jose.RS256, l.Key, 403},
		{"verified as text", map[string]any{"email_verified": "true"}, jose.RS256, l.Key, 303},
	} {
		l.Claims, l.Alg, l.Signer = test.claims, test.alg, test.signer
		if status, cookie := a.enter(l); status != test.want || (cookie != "") != (test.want == 303) {
			t.Errorf("%s: %d %q, want %d", test.name, status, cookie, test.want)
		}
	}
}

func TestTheWayBackIsBound(t *testing.T) {
	r, l := newRig(t, true), oidctest.New(t)
	a, b := r.signUp("owner@corp.example", "Corp"), r.signUp("eve@evil.example", "Evil")
	a.set(l, `,"default_role":"viewer"`)
	b.set(l, `,"default_role":"viewer"`)
	a.own("example.org")
	good := func(v trip) url.Values { return url.Values{"code": {"c"}, "state": {v.there.Get("state")}} }
	refused := func(name string, w *httptest.ResponseRecorder) {
		t.Helper()
		for _, c := range w.Result().Cookies() {
			if c.Name == "assim" {
				t.Errorf("%s: a session began", name)
			}
		}
		if w.Code != 403 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	v := a.leave(l)
	refused("another state", a.comeBack(v, url.Values{"code": {"c"}, "state": {"x"}}))
	refused("the right one after a wrong one", a.comeBack(v, good(v)))
	v = a.leave(l)
	refused("another browser", a.comeBack(trip{"assim-sso=x", v.there}, good(v)))
	refused("no cookie", a.comeBack(trip{"", v.there}, good(v)))
	v = a.leave(l)
	refused("another tenant's way back", b.comeBack(v, good(v)))
	v = a.leave(l)
	q := good(v)
	q.Set("iss", "https://evil.example")
	refused("another issuer's answer", a.comeBack(v, q))
	v = a.leave(l)
	q = good(v)
	q.Set("error", "access_denied<script>")
	w := a.comeBack(v, q)
	refused("an error", w)
	if strings.Contains(w.Body.String(), "<script>alert") || !strings.Contains(w.Body.String(), "access_deniedscript") {
		t.Errorf("the error is shown as %s", w.Body)
	}
	v = a.leave(l)
	a.set(oidctest.New(t), `,"default_role":"viewer"`)
	refused("a provider that was replaced meanwhile", a.comeBack(v, good(v)))
}

func TestRulesOfEntry(t *testing.T) {
	r, l := newRig(t, true), oidctest.New(t)
	a := r.signUp("owner@corp.example", "Corp")
	a.call("PUT", "/v1/entry", `{"second_factor_required":false,"sso_required":true}`, 409)
	a.set(l, "")
	var invited struct{ Link string }
	json.Unmarshal([]byte(a.call("POST", "/v1/invitations", `{"email":"bob@corp.example","role":"operator"}`, 201)), &invited)
	link := invited.Link
	if !strings.Contains(link, "token=") {
		t.Fatalf("no link: %+v", invited)
	}
	w := r.do("POST", "/signup", url.Values{"invitation": {link[strings.Index(link, "token=")+6:]}, "password": {"correct horse battery"}}.Encode())
	if w.Code != 303 {
		t.Fatalf("bob joins: %d %s", w.Code, w.Body)
	}
	bob := w.Result().Cookies()[0].Name + "=" + w.Result().Cookies()[0].Value
	if email, _, role := r.whoami(bob); email != "bob@corp.example" || role != "operator" {
		t.Errorf("bob is %s, %s", email, role)
	}
	a.call("PUT", "/v1/entry", `{"second_factor_required":false,"sso_required":true}`, 204)
	if w := r.do("GET", "/v1/whoami", "", "Cookie", bob); w.Code != 401 {
		t.Errorf("bob's session of a password: %d", w.Code)
	}
	if w := r.do("POST", "/v1/login", `{"email":"bob@corp.example","password":"correct horse battery"}`); w.Code != 403 {
		t.Errorf("bob's password: %d", w.Code)
	}
	if w := r.do("POST", "/v1/login", `{"email":"owner@corp.example","password":"correct horse battery"}`); w.Code != 200 {
		t.Errorf("the owner's password: %d", w.Code)
	}
	l.Claims = map[string]any{"email": "bob@corp.example"}
	status, cookie := a.enter(l)
	if email, _, role := r.whoami(cookie); status != 303 || email != "bob@corp.example" || role != "operator" {
		t.Errorf("bob by single sign-on: %d %s %s", status, email, role)
	}
	a.call("DELETE", "/v1/entry/provider", "", 204)
	if w := r.do("GET", "/v1/whoami", "", "Cookie", cookie); w.Code != 401 {
		t.Errorf("his session after the provider is gone: %d", w.Code)
	}
}

func TestProvidersOfOurOwnNetworkAreNotAsked(t *testing.T) {
	r, l := newRig(t, false), oidctest.New(t)
	a := r.signUp("owner@corp.example", "Corp")
	for _, issuer := range []string{l.URL, strings.Replace(l.URL, "http:", "https:", 1), "https://169.254.169.254", "https://localhost", "https://user@example.org", "file:///etc/passwd", "https://[::1]"} {
		a.call("PUT", "/v1/entry/provider", `{"issuer":"`+issuer+`","client_id":"c","client_secret":"s"}`, 422)
	}
	a.call("PUT", "/v1/entry/provider", `{"issuer":"https://example.org","client_id":"c","client_secret":"s","role_claim":"g","role_map":{"x":"owner"}}`, 422)
}

// A provider that knows more people than a tenant may have lets no more in.
func TestAProviderLetsSoManyIn(t *testing.T) {
	r, l := newRig(t, true), oidctest.New(t)
	corp := r.signUp("owner@corp.example", "Corp")
	corp.set(l, `,"default_role":"viewer"`)
	corp.own("example.org")
	_, members := quota.Members.Bound()
	_, identities := quota.Identities.Bound()
	exec := func(sql string, args ...any) {
		t.Helper()
		err := r.db.Global(t.Context(), func(tx pgx.Tx) error { _, err := tx.Exec(t.Context(), sql, args...); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	exec(`WITH u AS (INSERT INTO assim.users (id, email, password_hash) SELECT gen_random_uuid(), n || '@example.net', '' FROM generate_series(2, $2::bigint) n RETURNING id)
		INSERT INTO assim.members (tenant, user_id, role) SELECT $1::uuid, id, 'viewer' FROM u`, corp.id, members)
	if status, cookie := corp.enter(l); status != 409 || cookie != "" {
		t.Errorf("one member more: %d %q", status, cookie)
	}
	if n := r.number(`SELECT count(*) FROM assim.users WHERE email = 'ada@example.org'`); n != 0 {
		t.Error("who may not be a member has an account")
	}
	exec(`DELETE FROM assim.members WHERE user_id IN (SELECT id FROM assim.users WHERE email = '2@example.net')`)
	if status, _ := corp.enter(l); status != 303 {
		t.Errorf("where there is room: %d", status)
	}
	exec(`INSERT INTO assim.identities (tenant, issuer, subject, user_id) SELECT tenant, issuer, n::text, user_id FROM assim.identities, generate_series(2, $1::bigint) n`, identities)
	l.Claims = map[string]any{"sub": "s-2"}
	if status, cookie := corp.enter(l); status != 409 || cookie != "" {
		t.Errorf("one subject more: %d %q", status, cookie)
	}
	l.Claims = nil
	if status, _ := corp.enter(l); status != 303 {
		t.Errorf("who is known already: %d", status)
	}
}
