package accounts_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/uplink"
)

func TestSignUpMakesATenantThatWorks(t *testing.T) {
	r := newRig(t)
	e := r.signUp(" Ada@Example.ORG ", "Example Ltd")
	if e.Email != "ada@example.org" || e.Tenant.Name != "Example Ltd" || e.Role != "owner" {
		t.Errorf("entered as %+v", e)
	}
	var me entered
	if status := r.call(e.Token, "GET", "/v1/whoami", "", &me); status != 200 || me.Tenant.ID != e.Tenant.ID || me.Role != "owner" {
		t.Errorf("whoami: %d %+v", status, me)
	}
	tenant, err := tenancy.ParseID[tenancy.TenantID](e.Tenant.ID)
	if err != nil {
		t.Fatal(err)
	}
	err = r.db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		var public, wrapped []byte
		if err := tx.QueryRow(t.Context(), `SELECT seal_key, seal_private FROM assim.tenants`).Scan(&public, &wrapped); err != nil {
			return err
		}
		private, err := r.master.Unwrap(keys.OfTenant(tenant), wrapped)
		if err != nil {
			return err
		}
		key, err := uplink.ParseOpenKey(private)
		if err != nil {
			return err
		}
		if string(key.SealKey().Bytes()) != string(public) {
			t.Error("the tenant's two keys are no pair")
		}
		var actions []string
		rows, err := tx.Query(t.Context(), `SELECT action || ' ' || actor FROM assim.audit ORDER BY id`)
		if err != nil {
			return err
		}
		actions, err = pgx.CollectRows(rows, pgx.RowTo[string])
		if want := "tenant.create ada@example.org;api-token.create ada@example.org"; strings.Join(actions, ";") != want {
			t.Errorf("audit: %q, want %q", strings.Join(actions, ";"), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := r.do("192.0.2.1", "POST", "/v1/signup", credentials("ada@example.org", "another password", "Other")); w.Code != 409 {
		t.Errorf("signing up twice: %d %s", w.Code, w.Body)
	}
}

func TestNothingIsStoredThatOpensADoor(t *testing.T) {
	r := newRig(t)
	e := r.signUp("ada@example.org", "Example")
	w := r.do("192.0.2.1", "POST", "/signin", url.Values{"email": {"ada@example.org"}, "password": {password}}.Encode())
	cookie := w.Result().Cookies()[0].Value
	err := r.db.Global(t.Context(), func(tx pgx.Tx) error {
		for _, table := range []string{"users", "sessions", "api_tokens"} {
			var all string
			if err := tx.QueryRow(t.Context(), `SELECT string_agg(t::text, ' ') FROM assim.`+table+` t`).Scan(&all); err != nil {
				return err
			}
			secret := e.Token[strings.LastIndex(e.Token, "_")+1:]
			for _, s := range []string{password, secret, cookie} {
				if strings.Contains(all, s) {
					t.Errorf("table %s holds a secret in clear", table)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBadSignUps(t *testing.T) {
	r := newRig(t)
	for i, test := range []struct{ email, password, tenant, says string }{
		{"", password, "x", "email"},
		{"ada", password, "x", "email"},
		{"ada@", password, "x", "email"},
		{"@example.org", password, "x", "email"},
		{"ada@example.org, eve@example.org", password, "x", "email"},
		{"Ada <ada@example.org>", password, "x", "email"},
		{"ada@exämple.org", password, "x", "email"},
		{"ada@example.org\x00", password, "x", "email"},
		{"ada@example.org\r\nBcc: eve@example.org", password, "x", "email"},
		{strings.Repeat("a", 250) + "@example.org", password, "x", "email"},
		{"ada@example.org", "brief", "x", "password"},
		{"ada@example.org", "", "x", "password"},
		{"ada@example.org", strings.Repeat("x", 12), "x", "password"},
		{"ada@example.org", strings.Repeat("xy", 65), "x", "password"},
		{"ada@example.org", "ADA@example.org", "x", "password"},
		{"ada@example.org", "with\x00nul in it", "x", "password"},
		{"ada@example.org", password, "", "tenant"},
		{"ada@example.org", password, "   ", "tenant"},
		{"ada@example.org", password, "a\nb", "tenant"},
		{"ada@example.org", password, strings.Repeat("x", 101), "tenant"},
	} {
		from := "198.51.100." + string(rune('0'+i%10)) + string(rune('0'+i/10)) // not limited as one client
		b, _ := json.Marshal(map[string]string{"email": test.email, "password": test.password, "tenant": test.tenant})
		w := r.do(from, "POST", "/v1/signup", string(b))
		if w.Code != 422 || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%q %q %q: %d %s, want 422 about %s", test.email, test.password, test.tenant, w.Code, w.Body, test.says)
		}
		if test.password != "" && strings.Contains(w.Body.String(), test.password) {
			t.Errorf("%q: the answer repeats the password", test.password)
		}
	}
	var users int
	err := r.db.Global(t.Context(), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM assim.users) + (SELECT count(*) FROM assim.tenants)`).Scan(&users)
	})
	if err != nil || users != 0 {
		t.Errorf("%d users and tenants were made, %v", users, err)
	}
}

func TestLogInTellsNotWhatWasWrong(t *testing.T) {
	r := newRig(t)
	r.signUp("ada@example.org", "Example")
	var answers []string
	for _, c := range []string{
		credentials("ada@example.org", "wrong horse battery", ""), credentials("eve@example.org", password, ""), credentials("no address", password, ""),
		credentials("ada@example.org", "", ""),
	} {
		w := r.do("192.0.2.2", "POST", "/v1/login", c)
		if w.Code != 401 {
			t.Errorf("%s: %d", c, w.Code)
		}
		answers = append(answers, w.Body.String())
	}
	for _, a := range answers[1:] {
		if a != answers[0] {
			t.Errorf("answers differ: %s and %s", answers[0], a)
		}
	}
	if w := r.do("192.0.2.2", "POST", "/v1/login", credentials("ADA@example.org", password, "")); w.Code != 200 {
		t.Errorf("right password: %d %s", w.Code, w.Body)
	}
	if w := r.do("192.0.2.2", "POST", "/v1/login", credentials("ada@example.org", password, "Other")); w.Code != 403 {
		t.Errorf("another's tenant: %d %s", w.Code, w.Body)
	}
}

func TestTriesAreLimited(t *testing.T) {
	r := newRig(t)
	r.signUp("ada@example.org", "Example")
	limited := 0
	for range 15 { // one account from one address
		if w := r.do("203.0.113.1", "POST", "/v1/login", credentials("ada@example.org", "wrong horse battery", "")); w.Code == 429 {
			limited++
			if w.Header().Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		}
	}
	if limited < 4 {
		t.Errorf("%d of 15 tries on one account were refused, want 4 or more", limited)
	}
	limited = 0
	for range 40 { // many accounts from one address
		if w := r.do("203.0.113.77", "POST", "/v1/login", credentials("no address", password, "")); w.Code == 429 {
			limited++
		}
	}
	if limited < 8 {
		t.Errorf("%d of 40 tries from one address were refused, want 8 or more", limited)
	}
}

func TestTokens(t *testing.T) {
	r := newRig(t)
	ada, eve := r.signUp("ada@example.org", "Example"), r.signUp("eve@example.org", "Evil")
	var made struct{ ID, Token, Role, State string }
	if status := r.call(ada.Token, "POST", "/v1/api-tokens", `{"name":"backup","role":"viewer","expires_in":3600}`, &made); status != 201 || made.Role != "viewer" || made.State != "valid" {
		t.Fatalf("create: %d %+v", status, made)
	}
	var me entered
	if status := r.call(made.Token, "GET", "/v1/whoami", "", &me); status != 200 || me.Role != "viewer" {
		t.Errorf("whoami with it: %d %+v", status, me)
	}
	if status := r.call(made.Token, "POST", "/v1/api-tokens", `{"name":"up","role":"owner"}`, nil); status != 403 {
		t.Errorf("a viewer's token makes an owner's: %d, want 403", status)
	}
	for _, bad := range []string{`{}`, `{"name":""}`, `{"name":"x","role":"king"}`, `{"name":"x","expires_in":1}`, `{"name":"x","expires_in":-5}`, `{"name":"a\u0000b"}`, `{"name":"x","tenant":"y"}`} {
		if status := r.call(ada.Token, "POST", "/v1/api-tokens", bad, nil); status != 422 {
			t.Errorf("create %s: %d, want 422", bad, status)
		}
	}
	// Another tenant neither sees nor revokes it.
	var list struct{ Items []struct{ ID, State string } }
	if r.call(eve.Token, "GET", "/v1/api-tokens", "", &list); len(list.Items) != 1 || list.Items[0].ID == made.ID {
		t.Errorf("eve sees %+v", list.Items)
	}
	if status := r.call(eve.Token, "DELETE", "/v1/api-tokens/"+made.ID, "", nil); status != 404 {
		t.Errorf("eve revokes: %d, want 404", status)
	}
	if status := r.call(made.Token, "GET", "/v1/whoami", "", nil); status != 200 {
		t.Errorf("after eve's try: %d", status)
	}
	// A token of the same id and another secret is unknown, not revoked.
	forged := tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	forged.ID = made.ID
	if w := r.do("192.0.2.9", "GET", "/v1/whoami", "", "Authorization", "Bearer "+forged.String()); w.Code != 401 || !strings.Contains(w.Body.String(), "unknown token") {
		t.Errorf("forged: %d %s", w.Code, w.Body)
	}
	if status := r.call(ada.Token, "DELETE", "/v1/api-tokens/"+made.ID, "", nil); status != 204 {
		t.Errorf("revoke: %d", status)
	}
	if w := r.do("192.0.2.9", "GET", "/v1/whoami", "", "Authorization", "Bearer "+made.Token); w.Code != 401 || !strings.Contains(w.Body.String(), "revoked token") {
		t.Errorf("revoked: %d %s", w.Code, w.Body)
	}
	r.age(`UPDATE assim.api_tokens SET revoked_at = NULL, expires_at = now() - interval '1 second' WHERE id = $1`, made.ID)
	if w := r.do("192.0.2.9", "GET", "/v1/whoami", "", "Authorization", "Bearer "+made.Token); w.Code != 401 || !strings.Contains(w.Body.String(), "expired token") {
		t.Errorf("expired: %d %s", w.Code, w.Body)
	}
	if status := r.call(ada.Token, "POST", "/v1/logout", "", nil); status != 204 {
		t.Errorf("logout: %d", status)
	}
	if status := r.call(ada.Token, "GET", "/v1/whoami", "", nil); status != 401 {
		t.Errorf("after logout: %d", status)
	}
}

// age changes rows behind the feature's back, as time does.
func (r *rig) age(sql string, args ...any) {
	r.t.Helper()
	err := r.db.Global(r.t.Context(), func(tx pgx.Tx) error {
		_, err := tx.Exec(r.t.Context(), sql, args...)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestARoleTakenAwayIsGoneAtOnce(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	for _, step := range []struct {
		sql  string
		want int
		role string
	}{
		{`UPDATE assim.members SET role = 'viewer'`, 200, "viewer"},
		{`DELETE FROM assim.members`, 401, ""},
	} {
		r.age(step.sql)
		var me entered
		if status := r.call(ada.Token, "GET", "/v1/whoami", "", &me); status != step.want || me.Role != step.role {
			t.Errorf("after %s: %d as %q, want %d as %q", step.sql, status, me.Role, step.want, step.role)
		}
	}
}

func TestSessions(t *testing.T) {
	r := newRig(t)
	r.signUp("ada@example.org", "Example")
	eve := r.signUp("eve@example.org", "Evil")
	signIn := func(agent string) string {
		w := r.do("192.0.2.3", "POST", "/signin", url.Values{"email": {"ada@example.org"}, "password": {password}, "next": {"/hosts?name=a"}}.Encode(), "User-Agent", agent)
		if w.Code != 303 || w.Header().Get("Location") != "/hosts?name=a" {
			t.Fatalf("sign in: %d to %q", w.Code, w.Header().Get("Location"))
		}
		c := w.Result().Cookies()[0]
		if !c.HttpOnly || c.MaxAge <= 0 {
			t.Errorf("cookie %v", c)
		}
		return c.Name + "=" + c.Value
	}
	one, two := signIn("Firefox\x00\xff"+strings.Repeat("x", 1000)), signIn("Chrome")
	type sessions struct {
		Items []struct {
			ID, Agent string
			Current   bool
		}
	}
	var list sessions
	w := r.do("192.0.2.3", "GET", "/v1/sessions", "", "Cookie", one)
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Items) != 2 {
		t.Fatalf("list: %v in %s", err, w.Body)
	}
	other := list.Items[0]
	if other.Current {
		other = list.Items[1]
	}
	if status := r.call(eve.Token, "DELETE", "/v1/sessions/"+other.ID, "", nil); status != 404 {
		t.Errorf("eve ends ada's session: %d, want 404", status)
	}
	for _, id := range []string{"x", strings.Repeat("0", 64), strings.Repeat("z", 64)} {
		if w := r.do("192.0.2.3", "DELETE", "/v1/sessions/"+id, "", "Cookie", one); w.Code != 404 {
			t.Errorf("ending session %q: %d, want 404", id, w.Code)
		}
	}
	if w := r.do("192.0.2.3", "DELETE", "/v1/sessions/"+other.ID, "", "Cookie", one); w.Code != 204 {
		t.Errorf("ending the other session: %d %s", w.Code, w.Body)
	}
	if w := r.do("192.0.2.3", "GET", "/v1/whoami", "", "Cookie", two); w.Code != 401 {
		t.Errorf("the ended session: %d, want 401", w.Code)
	}
	w = r.do("192.0.2.3", "POST", "/signout", "", "Cookie", one)
	if c := w.Result().Cookies(); w.Code != 303 || len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("sign out: %d %v", w.Code, c)
	}
	if w := r.do("192.0.2.3", "GET", "/v1/whoami", "", "Cookie", one); w.Code != 401 {
		t.Errorf("after signing out: %d, want 401", w.Code)
	}

	three := signIn("Safari")
	r.age(`UPDATE assim.sessions SET expires_at = now() - interval '1 second'`)
	if w := r.do("192.0.2.3", "GET", "/v1/whoami", "", "Cookie", three); w.Code != 401 {
		t.Errorf("an expired session: %d, want 401", w.Code)
	}
}

func TestSignInLeadsToPagesOfThisServiceOnly(t *testing.T) {
	r := newRig(t)
	r.signUp("ada@example.org", "Example")
	for _, next := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "hosts", "/a\r\nSet-Cookie: x=y", "\x00"} {
		w := r.do("192.0.2.4", "POST", "/signin", url.Values{"email": {"ada@example.org"}, "password": {password}, "next": {next}}.Encode())
		if w.Code != 303 || w.Header().Get("Location") != "/" {
			t.Errorf("next %q leads to %q with %d", next, w.Header().Get("Location"), w.Code)
		}
		page := r.do("192.0.2.4", "GET", "/signin?next="+url.QueryEscape(next), "").Body.String()
		if strings.Contains(page, "evil.example") {
			t.Errorf("next %q is repeated on the page", next)
		}
	}
}

func TestPages(t *testing.T) {
	r := newRig(t)
	r.signUp("ada@example.org", "Example")
	w := r.do("192.0.2.5", "POST", "/signup", url.Values{"email": {"bob@example.org"}, "password": {"short"}, "tenant": {"<b>Bob</b>"}}.Encode())
	if body := w.Body.String(); w.Code != 422 || !strings.Contains(body, "shorter than 12") || !strings.Contains(body, "bob@example.org") || strings.Contains(body, "<b>Bob") {
		t.Errorf("a short password: %d %s", w.Code, body)
	}
	w = r.do("192.0.2.5", "POST", "/signup", url.Values{"email": {"bob@example.org"}, "password": {password}, "tenant": {"Bob"}}.Encode())
	if w.Code != 303 || w.Header().Get("Location") != "/" {
		t.Fatalf("sign up: %d %s", w.Code, w.Body)
	}
	c := w.Result().Cookies()[0]
	cookie := c.Name + "=" + c.Value
	w = r.do("192.0.2.5", "POST", "/account/tokens", url.Values{"name": {"laptop"}, "role": {"admin"}, "expires_in": {"0"}}.Encode(), "Cookie", cookie)
	at := strings.Index(w.Body.String(), "asm_api_")
	if w.Code != 200 || at < 0 {
		t.Fatalf("making a token: %d %s", w.Code, w.Body)
	}
	token, _, _ := strings.Cut(w.Body.String()[at:], "<")
	var me entered
	if status := r.call(token, "GET", "/v1/whoami", "", &me); status != 200 || me.Role != "admin" {
		t.Errorf("the page's token: %d %+v", status, me)
	}
	if body := r.do("192.0.2.5", "GET", "/account", "", "Cookie", cookie).Body.String(); strings.Contains(body, token) || !strings.Contains(body, "laptop") {
		t.Error("the page shows the token again, or not its name")
	}
	for _, seconds := range []string{"", "x", "-1", "99999999999999999999", "999999999999"} {
		w := r.do("192.0.2.5", "POST", "/account/tokens", url.Values{"name": {"x"}, "expires_in": {seconds}}.Encode(), "Cookie", cookie)
		if w.Code != 422 {
			t.Errorf("expires_in %q: %d, want 422", seconds, w.Code)
		}
	}
}

func TestMembers(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	r.signUp("eve@example.org", "Evil")
	var list struct {
		Items []struct{ Email, Role string }
	}
	if r.call(ada.Token, "GET", "/v1/members", "", &list); len(list.Items) != 1 || list.Items[0].Email != "ada@example.org" {
		t.Errorf("members: %+v", list.Items)
	}
}

func TestLastUseIsNotedOncePerMinute(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	used := func() (at time.Time) {
		var list struct {
			Items []struct {
				LastUsedAt time.Time `json:"last_used_at"`
			}
		}
		r.call(ada.Token, "GET", "/v1/api-tokens", "", &list)
		return list.Items[0].LastUsedAt
	}
	first := used()
	if second := used(); first.IsZero() || !second.Equal(first) {
		t.Errorf("used at %v, then %v within a minute", first, second)
	}
	r.age(`UPDATE assim.api_tokens SET last_used_at = now() - interval '2 minutes'`)
	if third := used(); !third.After(first) {
		t.Errorf("used at %v, not after %v", third, first)
	}
}

func TestALesserTokenEndsNothingGreater(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	mint := func(role string) (token struct{ ID, Token string }) {
		if status := r.call(ada.Token, "POST", "/v1/api-tokens", `{"name":"x","role":"`+role+`"}`, &token); status != 201 {
			t.Fatalf("mint %s: %d", role, status)
		}
		return token
	}
	owner, viewer, other := mint("owner"), mint("viewer"), mint("viewer")
	w := r.do("192.0.2.3", "POST", "/signin", url.Values{"email": {"ada@example.org"}, "password": {password}}.Encode())
	cookie := w.Result().Cookies()[0]
	var sessions struct{ Items []struct{ ID string } }
	if r.call(viewer.Token, "GET", "/v1/sessions", "", &sessions); len(sessions.Items) != 1 {
		t.Fatalf("sessions: %+v", sessions)
	}
	if status := r.call(viewer.Token, "DELETE", "/v1/sessions/"+sessions.Items[0].ID, "", nil); status != 404 {
		t.Errorf("a viewer's token ends its owner's session: %d", status)
	}
	if status := r.call(viewer.Token, "DELETE", "/v1/api-tokens/"+owner.ID, "", nil); status != 403 {
		t.Errorf("a viewer's token revokes an owner's: %d", status)
	}
	if w := r.do("192.0.2.3", "GET", "/v1/whoami", "", "Cookie", cookie.Name+"="+cookie.Value); w.Code != 200 {
		t.Errorf("the session afterwards: %d", w.Code)
	}
	for _, done := range []struct{ by, id string }{{viewer.Token, other.ID}, {owner.Token, viewer.ID}, {owner.Token, owner.ID}} {
		if status := r.call(done.by, "DELETE", "/v1/api-tokens/"+done.id, "", nil); status != 204 {
			t.Errorf("revoking: %d", status)
		}
	}
}

// TestManySignUpsAtOnce: whoever comes from many addresses finds the door
// closed, not the database exhausted.
func TestManySignUpsAtOnce(t *testing.T) {
	r := newRig(t)
	var answers sync.Map
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			w := r.do(fmt.Sprintf("10.0.%d.1", i), "POST", "/v1/signup", credentials(fmt.Sprintf("u%d@example.org", i), password, "x"))
			n, _ := answers.LoadOrStore(w.Code, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		})
	}
	all.Wait()
	total := int64(0)
	for _, code := range []int{http.StatusCreated, http.StatusServiceUnavailable} {
		n, ok := answers.Load(code)
		if !ok {
			t.Fatalf("none was answered %d", code)
		}
		total += n.(*atomic.Int64).Load()
	}
	if total != 40 {
		t.Errorf("%d of 40 were let in or asked to wait", total)
	}
}
