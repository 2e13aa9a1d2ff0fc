package accounts_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// guest invites somebody, has them sign up, and returns their session's cookie and
// user id.
func (r *rig) guest(by entered, email, role string) (cookie, id string) {
	r.t.Helper()
	var made struct{ Link string }
	if status := r.call(by.Token, "POST", "/v1/invitations", `{"email":"`+email+`","role":"`+role+`"}`, &made); status != 201 {
		r.t.Fatalf("inviting: %d", status)
	}
	_, secret, _ := strings.Cut(made.Link, "token=")
	status, body, _, cookies := r.form("192.0.2.1", "/signup", "", "invitation", secret, "password", password, "email", "eve@evil.example")
	if status != 303 {
		r.t.Fatalf("signing up as %s: %d %s", email, status, body)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/signup", "", "invitation", secret, "password", password); status != 404 {
		r.t.Errorf("the invitation of %s a second time: %d", email, status)
	}
	var list struct{ Items []struct{ ID, Email string } }
	r.call(by.Token, "GET", "/v1/members", "", &list)
	for _, m := range list.Items {
		if m.Email == email {
			id = m.ID
		}
	}
	return sessionOf(r.t, cookies), id
}

// api makes a request of the API with a cookie.
func (r *rig) api(cookie, method, path, body string) int {
	return r.do("192.0.2.1", method, path, body, "Cookie", cookie).Code
}

func TestNobodyRisesByThemselves(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	eve := r.signUp("eve@evil.example", "Evil")
	admin, adminID := r.guest(ada, "admin@example.org", "admin")
	operator, operatorID := r.guest(ada, "operator@example.org", "operator")
	_, me := r.whoami(admin)
	if me.Role != "admin" || me.Tenant.Name != "Example" {
		t.Fatalf("the admin is %+v", me)
	}
	var list struct{ Items []struct{ ID, Role string } }
	r.call(ada.Token, "GET", "/v1/members", "", &list)
	ownerID := ""
	for _, m := range list.Items {
		if m.Role == "owner" {
			ownerID = m.ID
		}
	}
	for _, test := range []struct {
		name, cookie, method, path, body string
		want                             int
	}{
		{"an admin makes themselves owner", admin, "PUT", "/v1/members/" + adminID, `{"role":"owner"}`, 403},
		{"an admin makes another owner", admin, "PUT", "/v1/members/" + operatorID, `{"role":"owner"}`, 403},
		{"an admin lowers an owner", admin, "PUT", "/v1/members/" + ownerID, `{"role":"viewer"}`, 403},
		{"an admin removes an owner", admin, "DELETE", "/v1/members/" + ownerID, "", 403},
		{"an admin gives an owner a role at a site", admin, "PUT", "/v1/members/" + ownerID + "/sites/" + tenancy.NewID[tenancy.SiteID]().String(), `{"role":"operator"}`, 403},
		{"an admin invites an owner", admin, "POST", "/v1/invitations", `{"email":"x@example.org","role":"owner"}`, 403},
		{"an admin mints an owner's token", admin, "POST", "/v1/api-tokens", `{"name":"x","role":"owner"}`, 403},
		{"an admin sets how people enter", admin, "PUT", "/v1/members/" + adminID + "/sites/x", `{"role":"admin"}`, 404},
		{"an operator raises themselves", operator, "PUT", "/v1/members/" + operatorID, `{"role":"admin"}`, 403},
		{"an operator invites", operator, "POST", "/v1/invitations", `{"email":"x@example.org","role":"viewer"}`, 403},
		{"an operator lists invitations", operator, "GET", "/v1/invitations", "", 403},
		{"an operator renames the tenant", operator, "PATCH", "/v1/tenant", `{"name":"x"}`, 403},
		{"a role that is none", admin, "PUT", "/v1/members/" + operatorID, `{"role":"king"}`, 422},
		{"an admin lowers an operator", admin, "PUT", "/v1/members/" + operatorID, `{"role":"viewer"}`, 204},
	} {
		if got := r.api(test.cookie, test.method, test.path, test.body); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	for _, method := range []string{"PUT", "DELETE"} { // another tenant's owner
		if status := r.call(eve.Token, method, "/v1/members/"+adminID, `{"role":"viewer"}`, nil); status != 404 {
			t.Errorf("%s of another tenant's member: %d", method, status)
		}
	}
	for _, method := range []string{"PUT", "DELETE"} {
		if status := r.call(ada.Token, method, "/v1/members/"+ownerID, `{"role":"viewer"}`, nil); status != http.StatusConflict {
			t.Errorf("%s of the last owner: %d", method, status)
		}
	}
	// Out is out, at once.
	began := time.Now()
	if status := r.call(ada.Token, "DELETE", "/v1/members/"+adminID, "", nil); status != 204 {
		t.Fatalf("removing: %d", status)
	}
	if status, _ := r.whoami(admin); status != 401 {
		t.Errorf("a removed member: %d", status)
	}
	t.Logf("a removed member was out after %v, with the removal itself", time.Since(began).Round(time.Millisecond))
}

func TestARoleAtASiteHoldsThereOnly(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	bob, id := r.guest(ada, "bob@example.org", "viewer")
	tenant, err := tenancy.ParseID[tenancy.TenantID](ada.Tenant.ID)
	if err != nil {
		t.Fatal(err)
	}
	var here, there tenancy.SiteID = tenancy.NewID[tenancy.SiteID](), tenancy.NewID[tenancy.SiteID]()
	err = r.db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		for name, site := range map[string]tenancy.SiteID{"here": here, "there": there} {
			if _, err := tx.Exec(t.Context(), `INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES ($1, $2, $3, '', $4, '')`, site, tenant, name, site.UUID[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if status := r.call(ada.Token, "PUT", "/v1/members/"+id+"/sites/"+here.String(), `{"role":"admin"}`, nil); status != 204 {
		t.Fatalf("giving: %d", status)
	}
	var me struct{ Sites map[string]string }
	json.Unmarshal(r.do("192.0.2.1", "GET", "/v1/whoami", "", "Cookie", bob).Body.Bytes(), &me)
	if len(me.Sites) != 1 || me.Sites[here.String()] != "admin" {
		t.Errorf("bob's sites: %v", me.Sites)
	}
	mint := func(body string) (status int, token string) {
		w := r.do("192.0.2.1", "POST", "/v1/api-tokens", body, "Cookie", bob)
		var made struct{ Token string }
		json.Unmarshal(w.Body.Bytes(), &made)
		return w.Code, made.Token
	}
	if status, _ := mint(`{"name":"x","role":"admin"}`); status != 403 {
		t.Errorf("a token of the whole tenant: %d", status)
	}
	if status, _ := mint(fmt.Sprintf(`{"name":"x","role":"admin","site_id":%q}`, there)); status != 403 {
		t.Errorf("a token of the other site: %d", status)
	}
	status, token := mint(fmt.Sprintf(`{"name":"x","role":"admin","site_id":%q}`, here))
	if status != 201 {
		t.Fatalf("a token of his site: %d", status)
	}
	if status := r.call(token, "GET", "/v1/members", "", nil); status != 403 {
		t.Errorf("a site's token lists members: %d", status)
	}
	if status := r.call(token, "GET", "/v1/whoami", "", nil); status != 200 {
		t.Errorf("a site's token: %d", status)
	}
	if status := r.call(token, "POST", "/v1/api-tokens", `{"name":"y"}`, nil); status != 403 {
		t.Errorf("a site's token makes another: %d", status)
	}
	// The right goes with the role.
	if status := r.call(ada.Token, "PUT", "/v1/members/"+id+"/sites/"+here.String(), `{"role":"none"}`, nil); status != 204 {
		t.Fatalf("taking: %d", status)
	}
	if w := r.do("192.0.2.1", "GET", "/v1/whoami", "", "Authorization", "Bearer "+token); !strings.Contains(w.Body.String(), `"viewer"`) {
		t.Errorf("the token afterwards: %s", w.Body)
	}
}

// Who is taken out, or has another role, has left no door open.
func TestInvitationsEndWithTheirInviter(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	for _, test := range []struct{ name, email, method, body string }{
		{"removed", "eve@evil.example", "DELETE", ""}, {"another role", "mallory@evil.example", "PUT", `{"role":"viewer"}`},
	} {
		admin, id := r.guest(ada, test.email, "admin")
		w := r.do("192.0.2.1", "POST", "/v1/invitations", `{"email":"back@evil.example","role":"admin"}`, "Cookie", admin)
		_, secret, found := strings.Cut(w.Body.String(), "token=")
		if secret, _, _ = strings.Cut(secret, `"`); w.Code != 201 || !found {
			t.Fatalf("inviting: %d %s", w.Code, w.Body)
		}
		if w := r.do("192.0.2.1", "GET", "/invitation?token="+secret, ""); w.Code != 200 {
			t.Fatalf("the invitation: %d", w.Code)
		}
		if status := r.call(ada.Token, test.method, "/v1/members/"+id, test.body, nil); status/100 != 2 {
			t.Fatalf("%s: %d", test.name, status)
		}
		if w := r.do("192.0.2.1", "GET", "/invitation?token="+secret, ""); w.Code != 404 {
			t.Errorf("%s: the invitation answers %d", test.name, w.Code)
		}
	}
}

func TestInvitationsAreForOneAddress(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	r.signUp("eve@evil.example", "Evil")
	r.signUp("bob@example.org", "Bob's")
	var made struct{ Link, ID string }
	r.call(ada.Token, "POST", "/v1/invitations", `{"email":"bob@example.org","role":"admin"}`, &made)
	_, secret, _ := strings.Cut(made.Link, "token=")
	eve, _, _ := r.signInCookie("eve@evil.example", password)
	if status, _, _, _ := r.form("192.0.2.1", "/invitation/accept", eve, "token", secret); status != 404 {
		t.Errorf("another takes it: %d", status)
	}
	bob, _, _ := r.signInCookie("bob@example.org", password)
	if status, _, location, _ := r.form("192.0.2.1", "/invitation/accept", bob, "token", secret); status != 303 || location != "/account#tenants" {
		t.Errorf("bob takes it: %d to %q", status, location)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/invitation/accept", bob, "token", secret); status != 404 {
		t.Errorf("bob takes it again: %d", status)
	}
	// He goes to the other tenant: his old cookie is good no more, and no chosen one ever was.
	status, _, _, cookies := r.form("192.0.2.1", "/account/tenant", bob, "tenant", ada.Tenant.ID)
	if status != 303 {
		t.Fatalf("switching: %d", status)
	}
	there := sessionOf(t, cookies)
	if _, me := r.whoami(there); me.Tenant.ID != ada.Tenant.ID || me.Role != "admin" {
		t.Errorf("he is %+v", me)
	}
	if status, _ := r.whoami(bob); status != 401 || there == bob {
		t.Errorf("the cookie from before: %d", status)
	}
	if status, _, _, _ := r.form("192.0.2.1", "/account/tenant", eve, "tenant", ada.Tenant.ID); status != 404 {
		t.Errorf("eve switches to ada's tenant: %d", status)
	}
	r.call(ada.Token, "POST", "/v1/invitations", `{"email":"carl@example.org","role":"admin"}`, &made)
	_, secret, _ = strings.Cut(made.Link, "token=")
	if status := r.call(ada.Token, "DELETE", "/v1/invitations/"+made.ID, "", nil); status != 204 {
		t.Errorf("revoking: %d", status)
	}
	if w := r.do("192.0.2.1", "GET", "/invitation?token="+secret, ""); w.Code != 404 {
		t.Errorf("a revoked invitation: %d", w.Code)
	}
}

func TestNoSessionIsChosenByOthers(t *testing.T) {
	r := newRig(t)
	r.signUp("ada@example.org", "Example")
	r.signUp("eve@evil.example", "Evil")
	eve, _, _ := r.signInCookie("eve@evil.example", password)
	for _, planted := range []string{eve, "assim=" + strings.Repeat("A", 43), "assim=x"} {
		status, _, _, cookies := r.form("192.0.2.1", "/signin", planted, "email", "ada@example.org", "password", password)
		if status != 303 || sessionOf(t, cookies) == planted {
			t.Errorf("signing in with a planted cookie: %d", status)
		}
		if _, me := r.whoami(planted); me.Email == "ada@example.org" {
			t.Error("the planted cookie is ada's session")
		}
	}
}

// A page of another site sends forms with the person's cookie.
func TestOtherSitesSendNothing(t *testing.T) {
	r := newRig(t)
	r.signUp("ada@example.org", "Example")
	session, _, _ := r.signInCookie("ada@example.org", password)
	for _, path := range []string{"/signin", "/signup", "/signout", "/prove", "/account/tokens", "/account/password", "/account/address", "/account/tenant", "/account/second-factor/remove",
		"/invitations", "/members/x/role", "/members/x/remove", "/reset", "/reset/new", "/signup/confirm", "/invitation/accept"} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
			w := r.do("192.0.2.1", "POST", path, url.Values{"name": {"x"}}.Encode(), append(header, "Cookie", session)...)
			if w.Code != 403 || !strings.Contains(w.Body.String(), "another site") {
				t.Errorf("POST %s with %v: %d", path, header, w.Code)
			}
		}
	}
}

// TestRevokedIsOut prints how long it takes until what was revoked is refused.
func TestRevokedIsOut(t *testing.T) {
	r := newRig(t)
	ada := r.signUp("ada@example.org", "Example")
	one, _, _ := r.signInCookie("ada@example.org", password)
	two, _, _ := r.signInCookie("ada@example.org", password)
	var sessions struct {
		Items []struct {
			ID      string
			Current bool
			Device  string
		}
	}
	json.Unmarshal(r.do("192.0.2.1", "GET", "/v1/sessions", "", "Cookie", one).Body.Bytes(), &sessions)
	began := time.Now()
	for _, s := range sessions.Items {
		if !s.Current {
			if status := r.api(one, "DELETE", "/v1/sessions/"+s.ID, ""); status != 204 {
				t.Fatalf("ending: %d", status)
			}
		}
	}
	if status, _ := r.whoami(two); status != 401 {
		t.Errorf("an ended session: %d", status)
	}
	t.Logf("an ended session was out after %v, with the ending itself", time.Since(began).Round(time.Millisecond))
	var made struct{ ID, Token string }
	r.call(ada.Token, "POST", "/v1/api-tokens", `{"name":"x"}`, &made)
	began = time.Now()
	if status := r.call(ada.Token, "DELETE", "/v1/api-tokens/"+made.ID, "", nil); status != 204 {
		t.Fatalf("revoking: %d", status)
	}
	if status := r.call(made.Token, "GET", "/v1/whoami", "", nil); status != 401 {
		t.Errorf("a revoked token: %d", status)
	}
	t.Logf("a revoked token was out after %v, with the revocation itself", time.Since(began).Round(time.Millisecond))
}
