package accounts_test

import (
	"encoding/base32"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"assimilation/saas/internal/secondfactor"
)

var (
	secretOnPage = regexp.MustCompile(`id="secret">([A-Z2-7]{32})<`)
	codesOnPage  = regexp.MustCompile(`[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}`)
)

// app is somebody's authenticator.
type app struct {
	t      *testing.T
	secret []byte
	used   map[string]bool
}

// code is one that was not used: of now or the next period, which is taken, too.
func (a *app) code() string {
	a.t.Helper()
	for _, ahead := range []time.Duration{0, 30 * time.Second} {
		code, err := secondfactor.Code(a.secret, time.Now().Add(ahead))
		if err != nil {
			a.t.Fatal(err)
		}
		if !a.used[code] {
			a.used[code] = true
			return code
		}
	}
	a.t.Fatal("both codes were used")
	return ""
}

// addApp sets a second factor up for a session, and returns recovery codes.
func (r *rig) addApp(session string) (*app, []string) {
	r.t.Helper()
	status, body, _, _ := r.form("192.0.2.1", "/account/second-factor/begin", session)
	found := secretOnPage.FindStringSubmatch(body)
	if status != 200 || found == nil || !strings.Contains(body, "<svg") {
		r.t.Fatalf("beginning: %d %s", status, body)
	}
	secret, err := base32.StdEncoding.DecodeString(found[1])
	if err != nil {
		r.t.Fatal(err)
	}
	a := &app{r.t, secret, map[string]bool{}}
	status, body, _, _ = r.form("192.0.2.1", "/account/second-factor", session, "code", a.code())
	codes := codesOnPage.FindAllString(body, -1)
	if status != 200 || len(codes) != 10 {
		r.t.Fatalf("enrolling: %d, %d codes in %s", status, len(codes), body)
	}
	return a, codes
}

// forget makes codes that were used usable again, as the next 30 seconds do.
func (r *rig) forget(a *app) {
	a.used = map[string]bool{}
	r.age(`UPDATE assim.users SET totp_step = 0`)
}

func (r *rig) signInCookie(email, pass string) (cookie, location string, status int) {
	status, _, location, cookies := r.form("192.0.2.1", "/signin", "", "email", email, "password", pass)
	for _, c := range cookies {
		cookie = c.Name + "=" + c.Value
	}
	return cookie, location, status
}

func TestSecondFactor(t *testing.T) {
	r := newRig(t)
	r.signUp("ada@example.org", "Example")
	session, _, _ := r.signInCookie("ada@example.org", password)
	other, _, _ := r.signInCookie("ada@example.org", password)
	a, codes := r.addApp(session)
	if status, _ := r.whoami(session); status != 200 {
		t.Errorf("the session that enrolled: %d", status)
	}
	if status, _ := r.whoami(other); status != 401 {
		t.Errorf("another session of a password alone: %d", status)
	}

	step, location, status := r.signInCookie("ada@example.org", password)
	if status != 303 || location != "/signin/code" || !strings.HasPrefix(step, "assim-code=") {
		t.Fatalf("password alone: %d to %q with %q", status, location, step)
	}
	if status, _ := r.whoami(strings.Replace(step, "assim-code=", "assim=", 1)); status != 401 {
		t.Errorf("what is between password and code is a session: %d", status)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/signin/code", step, "code", "000000"); status != 401 {
		t.Errorf("a wrong code: %d", status)
	}
	code := a.code()
	status, _, location, cookies := r.form("192.0.2.1", "/signin/code", step, "code", code)
	if status != 303 || location != "/" {
		t.Fatalf("the right code: %d to %q", status, location)
	}
	if status, _ := r.whoami(sessionOf(t, cookies[1:])); status != 200 {
		t.Errorf("the session: %d", status)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/signin/code", step, "code", codes[0]); status != 401 {
		t.Errorf("a step that was used, with a good code: %d", status)
	}
	step, _, _ = r.signInCookie("ada@example.org", password)
	if status, _, _, _ := r.form("192.0.2.1", "/signin/code", step, "code", code); status != 401 {
		t.Errorf("a code a second time: %d", status)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/signin/code", step, "code", strings.ToUpper(codes[1])); status != 303 {
		t.Errorf("a recovery code: %d", status)
	}
	step, _, _ = r.signInCookie("ada@example.org", password)
	if status, _, _, _ := r.form("192.0.2.1", "/signin/code", step, "code", codes[1]); status != 401 {
		t.Errorf("a recovery code a second time: %d", status)
	}
	// Programs.
	var problem struct{ Code string }
	w := r.do("192.0.2.1", "POST", "/v1/login", credentials("ada@example.org", password, ""))
	if json.Unmarshal(w.Body.Bytes(), &problem); w.Code != 401 || problem.Code != "second_factor_needed" {
		t.Errorf("a program without a code: %d %s", w.Code, w.Body)
	}
	r.forget(a)
	w = r.do("192.0.2.1", "POST", "/v1/login", `{"email":"ada@example.org","password":"`+password+`","code":"`+a.code()+`"}`)
	if w.Code != 200 {
		t.Errorf("a program with a code: %d %s", w.Code, w.Body)
	}
	// Nothing that makes codes is stored in clear.
	if n := r.number(`SELECT count(*) FROM assim.users WHERE position($1 IN totp_secret) > 0`, a.secret); n != 0 {
		t.Error("the secret is stored in clear")
	}
	if n := r.number(`SELECT count(*) FROM assim.recovery_codes`); n != 9 {
		t.Errorf("%d recovery codes are left, want 9", n)
	}
}

func TestCodesAreNotGuessed(t *testing.T) {
	r := newRig(t)
	r.signUp("ada@example.org", "Example")
	session, _, _ := r.signInCookie("ada@example.org", password)
	a, _ := r.addApp(session)
	step, _, _ := r.signInCookie("ada@example.org", password)
	refused := 0
	for range 8 {
		if status, _, _, _ := r.form("203.0.113.9", "/signin/code", step, "code", "000000"); status == 429 || status == 401 {
			refused++
		}
	}
	if status, _, _, _ := r.form("192.0.2.1", "/signin/code", step, "code", a.code()); refused != 8 || status != 401 {
		t.Errorf("after 8 guesses, %d of them refused, the right code of that log-in: %d", refused, status)
	}
	r.forget(a)
	step, _, _ = r.signInCookie("ada@example.org", password)
	if status, _, _, _ := r.form("192.0.2.1", "/signin/code", step, "code", a.code()); status != 303 {
		t.Errorf("she herself, from where she is known: %d", status)
	}
}

func TestATenantWantsSecondFactors(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	session, _, _ := r.signInCookie("ada@example.org", password)
	r.age(`INSERT INTO assim.entry_rules (tenant, totp_required) SELECT id, true FROM assim.tenants`)
	if w := r.do("192.0.2.1", "GET", "/members", "", "Cookie", session); w.Code != 303 || w.Header().Get("Location") != "/account/second-factor" {
		t.Errorf("a page: %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := r.do("192.0.2.1", "GET", "/v1/members", "", "Authorization", "Bearer "+ada.Token); w.Code != 403 || !strings.Contains(w.Body.String(), "second_factor_owed") {
		t.Errorf("a token: %d %s", w.Code, w.Body)
	}
	r.addApp(session)
	if w := r.do("192.0.2.1", "GET", "/members", "", "Cookie", session); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
	if status := r.call(ada.Token, "GET", "/v1/members", "", nil); status != 200 {
		t.Errorf("the token afterwards: %d", status)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/account/second-factor/remove", session); status != http.StatusConflict {
		t.Errorf("removing it: %d", status)
	}
	r.age(`DELETE FROM assim.entry_rules`)
	if status, _, _, _ := r.form("192.0.2.1", "/account/second-factor/remove", session); status != http.StatusSeeOther {
		t.Errorf("removing it where none is wanted: %d", status)
	}
}

func TestWhatIsDangerousWantsAFreshProof(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	session, _, _ := r.signInCookie("ada@example.org", password)
	r.age(`UPDATE assim.sessions SET proved_at = now() - interval '11 minutes'`)
	for _, path := range []string{"/account/tokens", "/invitations", "/members/x/remove", "/account/password", "/account/address", "/account/second-factor/begin", "/account/tenants"} {
		if status, _, location, _ := r.form("192.0.2.1", path, session, "name", "x", "expires_in", "0"); status != 303 || location != "/prove?next=%2Faccount" {
			t.Errorf("%s: %d to %q", path, status, location)
		}
	}
	if w := r.do("192.0.2.1", "POST", "/v1/api-tokens", `{"name":"x"}`, "Cookie", session); w.Code != 403 || !strings.Contains(w.Body.String(), "proof_required") {
		t.Errorf("the API: %d %s", w.Code, w.Body)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/prove", session, "secret", "wrong", "next", "/account"); status != 422 {
		t.Errorf("a wrong proof: %d", status)
	}
	if status, _, location, _ := r.form("192.0.2.1", "/prove", session, "secret", password, "next", "//evil.example"); status != 303 || location != "/account" {
		t.Errorf("a proof that would lead elsewhere: %d to %q", status, location)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/account/tokens", session, "name", "x", "expires_in", "0"); status != 200 {
		t.Errorf("after the proof: %d", status)
	}
	// With a second factor, the password proves nothing.
	a, _ := r.addApp(session)
	r.forget(a)
	r.age(`UPDATE assim.sessions SET proved_at = now() - interval '11 minutes'`)
	if status, _, _, _ := r.form("192.0.2.1", "/prove", session, "secret", password); status != 401 {
		t.Errorf("the password as proof, beside a second factor: %d", status)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/prove", session, "secret", a.code()); status != 303 {
		t.Errorf("the code as proof: %d", status)
	}
	// A program's token is bounded by its scope, and never reaches the person's own affairs.
	for _, path := range []string{"/account/password", "/account/address", "/account/second-factor/begin", "/account/tenants", "/invitation/accept"} {
		w := r.do("192.0.2.1", "POST", path, "", "Authorization", "Bearer "+ada.Token)
		if w.Code != 403 {
			t.Errorf("%s with a token: %d", path, w.Code)
		}
	}
}
