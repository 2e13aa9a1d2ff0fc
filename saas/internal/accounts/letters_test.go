package accounts_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// form posts a page's form; pairs is name, value.
func (r *rig) form(from, path, cookie string, pairs ...string) (status int, body, location string, cookies []*http.Cookie) {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	header := []string{"Referer", "http://example.com/account"}
	if cookie != "" {
		header = append(header, "Cookie", cookie)
	}
	w := r.do(from, "POST", path, values.Encode(), header...)
	return w.Code, w.Body.String(), w.Header().Get("Location"), w.Result().Cookies()
}

// tokenOf is the secret of a letter's link, which must lead to the path.
func tokenOf(t *testing.T, link, path string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Path != path || u.Query().Get("token") == "" {
		t.Fatalf("link %q (%v), want one to %s", link, err, path)
	}
	return u.Query().Get("token")
}

func sessionOf(t *testing.T, cookies []*http.Cookie) string {
	t.Helper()
	for _, c := range cookies {
		if c.Name == "assim" && c.Value != "" {
			return c.Name + "=" + c.Value
		}
	}
	t.Fatalf("no session among %v", cookies)
	return ""
}

// enrolled signs somebody up by letter, and returns their session's cookie.
func (r *rig) enrolled(email, tenant string) string {
	r.t.Helper()
	before := 0
	for _, l := range r.mail.Letters() {
		if l.To == email {
			before++
		}
	}
	if status, body, _, _ := r.form("192.0.2.1", "/signup", "", "email", email, "password", password, "tenant", tenant); status != http.StatusAccepted {
		r.t.Fatalf("sign up of %s: %d %s", email, status, body)
	}
	token := tokenOf(r.t, r.mail.Wait(email, before+1).Link(r.t), "/signup/confirm")
	status, body, _, cookies := r.form("192.0.2.1", "/signup/confirm", "", "token", token, "password", password)
	if status != http.StatusSeeOther {
		r.t.Fatalf("confirming %s: %d %s", email, status, body)
	}
	return sessionOf(r.t, cookies)
}

func (r *rig) whoami(cookie string) (status int, me entered) {
	w := r.do("192.0.2.1", "GET", "/v1/whoami", "", "Cookie", cookie)
	json.Unmarshal(w.Body.Bytes(), &me)
	return w.Code, me
}

func (r *rig) number(sql string, args ...any) (n int) {
	r.t.Helper()
	err := r.db.Global(r.t.Context(), func(tx pgx.Tx) error { return tx.QueryRow(r.t.Context(), sql, args...).Scan(&n) })
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestAnAddressProvesItself(t *testing.T) {
	r := newMailRig(t)
	status, first, _, cookies := r.form("192.0.2.1", "/signup", "", "email", "ada@example.org", "password", password, "tenant", "Example")
	if status != http.StatusAccepted || slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return c.Name == "assim" }) {
		t.Fatalf("sign up: %d, cookies %v", status, cookies)
	}
	if n := r.number(`SELECT (SELECT count(*) FROM assim.users) + (SELECT count(*) FROM assim.tenants)`); n != 0 {
		t.Errorf("before the address is proved there are %d users and tenants", n)
	}
	letter := r.mail.Wait("ada@example.org", 1)
	token := tokenOf(t, letter.Link(t), "/signup/confirm")
	if status, _, _, _ := r.form("192.0.2.1", "/signup/confirm", "", "token", token, "password", "another password"); status != http.StatusUnprocessableEntity {
		t.Errorf("confirming without the password: %d", status)
	}
	if w := r.do("192.0.2.1", "GET", letter.Link(t), ""); w.Code != 200 || len(w.Result().Cookies()) != 0 {
		t.Errorf("looking at the link: %d %v", w.Code, w.Result().Cookies())
	}
	status, _, location, cookies := r.form("192.0.2.1", "/signup/confirm", "", "token", token, "password", password)
	if status != http.StatusSeeOther || location != "/" {
		t.Fatalf("confirming: %d to %q", status, location)
	}
	if status, me := r.whoami(sessionOf(t, cookies)); status != 200 || me.Role != "owner" || me.Tenant.Name != "Example" {
		t.Errorf("whoami: %d %+v", status, me)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/signup/confirm", "", "token", token, "password", password); status != http.StatusNotFound {
		t.Errorf("the link a second time: %d", status)
	}
	if n := r.number(`SELECT count(*) FROM assim.users WHERE verified_at IS NOT NULL`); n != 1 {
		t.Errorf("%d users are verified", n)
	}

	// An address that has an account gets the same answer, and a letter that says so.
	status, again, _, _ := r.form("192.0.2.2", "/signup", "", "email", "ada@example.org", "password", "another password", "tenant", "Evil")
	if status != http.StatusAccepted || again != first {
		t.Errorf("signing up a known address: %d, another page than the first time", status)
	}
	if l := r.mail.Wait("ada@example.org", 2); !strings.Contains(l.Subject, "already") || strings.Contains(l.Text, "/signup/confirm") {
		t.Errorf("the letter to a known address: %q %q", l.Subject, l.Text)
	}
	known := r.do("192.0.2.3", "POST", "/v1/signup", credentials("ada@example.org", password, "x"))
	unknown := r.do("192.0.2.3", "POST", "/v1/signup", credentials("new@example.org", password, "x"))
	if known.Code != 202 || known.Code != unknown.Code || known.Body.String() != unknown.Body.String() {
		t.Errorf("the API tells a known from an unknown address: %d %s, %d %s", known.Code, known.Body, unknown.Code, unknown.Body)
	}
}

// TestTheBrowserThatSignedUp is let in by the link alone; its mark is of no use for
// another sign-up, even one of the same address.
func TestTheBrowserThatSignedUp(t *testing.T) {
	r := newMailRig(t)
	mark := func(from, password string) string {
		t.Helper()
		status, _, _, cookies := r.form(from, "/signup", "", "email", "ada@example.org", "password", password, "tenant", "Example")
		if status != http.StatusAccepted || len(cookies) != 1 || cookies[0].Name != "assim-signup" || !cookies[0].HttpOnly {
			t.Fatalf("sign up: %d %v", status, cookies)
		}
		return cookies[0].Name + "=" + cookies[0].Value
	}
	hers := mark("192.0.2.1", password)
	first := r.mail.Wait("ada@example.org", 1).Link(t)
	strangers := mark("198.51.100.1", password) // the same password, even
	second := r.mail.Wait("ada@example.org", 2).Link(t)
	for _, wrong := range []struct{ name, link, cookie string }{
		{"another sign-up's mark", first, strangers}, {"her mark at another's link", second, hers}, {"no mark", first, ""}, {"a made-up mark", first, "assim-signup=AAAA"},
	} {
		if w := r.do("192.0.2.1", "GET", wrong.link, "", "Cookie", wrong.cookie); w.Code != 200 || len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: %d %v", wrong.name, w.Code, w.Result().Cookies())
		}
	}
	w := r.do("192.0.2.1", "GET", first, "", "Cookie", hers)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Fatalf("her own link: %d to %q", w.Code, w.Header().Get("Location"))
	}
	if status, me := r.whoami(sessionOf(t, w.Result().Cookies())); status != 200 || me.Role != "owner" || me.Tenant.Name != "Example" {
		t.Errorf("whoami: %d %+v", status, me)
	}
	if w := r.do("192.0.2.1", "GET", first, "", "Cookie", hers); w.Code != 200 || len(w.Result().Cookies()) != 0 {
		t.Errorf("the link a second time: %d %v", w.Code, w.Result().Cookies())
	}
	if n := r.number(`SELECT count(*) FROM assim.signups`); n != 0 {
		t.Errorf("%d sign-ups wait still", n)
	}
}

func TestALetterIsSentAgain(t *testing.T) {
	r := newMailRig(t)
	r.form("192.0.2.1", "/signup", "", "email", "ada@example.org", "password", password, "tenant", "Example")
	old := tokenOf(t, r.mail.Wait("ada@example.org", 1).Link(t), "/signup/confirm")
	status, pending, _, _ := r.form("192.0.2.1", "/signup/resend", "", "email", "ada@example.org")
	_, nobody, _, _ := r.form("192.0.2.1", "/signup/resend", "", "email", "eve@example.org")
	if status != 200 || strings.ReplaceAll(pending, "ada@", "") != strings.ReplaceAll(nobody, "eve@", "") {
		t.Errorf("the answer tells whether a sign-up waits: %d", status)
	}
	fresh := tokenOf(t, r.mail.Wait("ada@example.org", 2).Link(t), "/signup/confirm")
	if status, _, _, _ := r.form("192.0.2.1", "/signup/confirm", "", "token", old, "password", password); status != http.StatusNotFound {
		t.Errorf("the old link: %d", status)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/signup/confirm", "", "token", fresh, "password", password); status != http.StatusSeeOther {
		t.Errorf("the new link: %d", status)
	}
	for _, l := range r.mail.Letters() {
		if l.To == "eve@example.org" {
			t.Error("a stranger was sent a letter")
		}
	}
}

func TestAStrangersSignUpDoesNotTakeAnAddress(t *testing.T) {
	r := newMailRig(t)
	r.form("198.51.100.1", "/signup", "", "email", "ada@example.org", "password", "the stranger's own", "tenant", "Trap")
	stranger := tokenOf(t, r.mail.Wait("ada@example.org", 1).Link(t), "/signup/confirm")
	if status, _, _, _ := r.form("192.0.2.1", "/signup/confirm", "", "token", stranger, "password", password); status != http.StatusUnprocessableEntity {
		t.Errorf("the address's owner confirms what a stranger began: %d", status)
	}
	if status, me := r.whoami(r.enrolled("ada@example.org", "Example")); status != 200 || me.Tenant.Name != "Example" {
		t.Errorf("her own: %d %+v", status, me)
	}
	if status, _, _, _ := r.form("198.51.100.1", "/signup/confirm", "", "token", stranger, "password", "the stranger's own"); status != http.StatusNotFound {
		t.Errorf("the stranger's link afterwards: %d", status)
	}
}

func TestReset(t *testing.T) {
	r := newMailRig(t)
	session := r.enrolled("ada@example.org", "Example")
	var made struct{ Token string }
	json.Unmarshal(r.do("192.0.2.1", "POST", "/v1/api-tokens", `{"name":"x"}`, "Cookie", session).Body.Bytes(), &made)
	status, known, _, _ := r.form("192.0.2.1", "/reset", "", "email", "ada@example.org")
	_, unknown, _, _ := r.form("192.0.2.1", "/reset", "", "email", "eve@example.org")
	if status != 200 || known != unknown {
		t.Errorf("the answer tells whether there is an account: %d", status)
	}
	token := tokenOf(t, r.mail.Wait("ada@example.org", 2).Link(t), "/reset/new")
	const fresh = "another horse battery"
	if status, _, _, _ := r.form("192.0.2.1", "/reset/new", "", "token", token, "password", "short"); status != 422 {
		t.Errorf("a short password: %d", status)
	}
	if status, body, _, _ := r.form("192.0.2.1", "/reset/new", "", "token", token, "password", fresh); status != 200 {
		t.Fatalf("reset: %d %s", status, body)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/reset/new", "", "token", token, "password", "a third horse battery"); status != 404 {
		t.Errorf("the link a second time: %d", status)
	}
	if status, _ := r.whoami(session); status != 401 {
		t.Errorf("a session from before: %d", status)
	}
	if w := r.do("192.0.2.1", "GET", "/v1/whoami", "", "Authorization", "Bearer "+made.Token); w.Code != 401 {
		t.Errorf("a token from before: %d", w.Code)
	}
	if w := r.do("192.0.2.1", "POST", "/v1/login", credentials("ada@example.org", password, "")); w.Code != 401 {
		t.Errorf("the old password: %d", w.Code)
	}
	if w := r.do("192.0.2.1", "POST", "/v1/login", credentials("ada@example.org", fresh, "")); w.Code != 200 {
		t.Errorf("the new password: %d %s", w.Code, w.Body)
	}
	r.form("192.0.2.1", "/reset", "", "email", "ada@example.org")
	late := tokenOf(t, r.mail.Wait("ada@example.org", 4).Link(t), "/reset/new")
	r.age(`UPDATE assim.links SET expires_at = now() - interval '1 second'`)
	if status, _, _, _ := r.form("192.0.2.1", "/reset/new", "", "token", late, "password", password); status != 404 {
		t.Errorf("a link that is too old: %d", status)
	}
	for _, wrong := range []string{"", "x", token + "x", strings.Repeat("A", 43)} {
		if status, _, _, _ := r.form("192.0.2.1", "/reset/new", "", "token", wrong, "password", fresh); status != 404 {
			t.Errorf("token %q: %d", wrong, status)
		}
	}
}

func TestANewAddress(t *testing.T) {
	r := newMailRig(t)
	session := r.enrolled("ada@example.org", "Example")
	r.enrolled("bob@example.org", "Other")
	status, _, location, _ := r.form("192.0.2.1", "/account/address", session, "email", "lovelace@example.org")
	if status != 303 || location != "/account?done=letter" {
		t.Fatalf("asking: %d to %q", status, location)
	}
	if l := r.mail.Wait("ada@example.org", 2); !strings.Contains(l.Text, "lovelace@example.org") {
		t.Errorf("the old address is told %q", l.Text)
	}
	token := tokenOf(t, r.mail.Wait("lovelace@example.org", 1).Link(t), "/account/address/confirm")
	if _, me := r.whoami(session); me.Email != "ada@example.org" {
		t.Errorf("before the link is followed: %s", me.Email)
	}
	if status, _, _, _ := r.form("192.0.2.7", "/account/address/confirm", "", "token", token); status != 200 {
		t.Errorf("confirming: %d", status)
	}
	if _, me := r.whoami(session); me.Email != "lovelace@example.org" {
		t.Errorf("afterwards: %s", me.Email)
	}
	if status, _, _, _ := r.form("192.0.2.7", "/account/address/confirm", "", "token", token); status != 404 {
		t.Errorf("the link a second time: %d", status)
	}
	// Another's address does not become hers, and asking does not tell that it is one.
	if status, _, location, _ := r.form("192.0.2.1", "/account/address", session, "email", "bob@example.org"); status != 303 || location != "/account?done=letter" {
		t.Errorf("asking for another's: %d to %q", status, location)
	}
	token = tokenOf(t, r.mail.Wait("bob@example.org", 2).Link(t), "/account/address/confirm")
	if status, _, _, _ := r.form("192.0.2.7", "/account/address/confirm", "", "token", token); status != http.StatusConflict {
		t.Errorf("taking another's: %d", status)
	}
}
