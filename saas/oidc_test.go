package saas

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestARealProviderLetsPeopleIn goes the whole way with a provider that is none
// of ours, see e2e/oidc/provider. What a provider could lie about is in
// internal/sso.
func TestARealProviderLetsPeopleIn(t *testing.T) {
	program := os.Getenv("ASSIM_OIDC_PROVIDER")
	if program == "" {
		t.Skip("ASSIM_OIDC_PROVIDER is not set: `make e2e-oidc` builds a provider")
	}
	s := newServiceWith(t, func(c *Config) { c.PrivateIssuers = true })
	ada := s.signUp("owner@corp.example", "Corp", "paris")
	tenant := ada.source.Tenant.String()
	callback := "http://localhost/sso/" + tenant + "/callback"

	provider := exec.CommandContext(t.Context(), program, "-redirect", callback, "-email", "bob@corp.example", "-group", "it")
	out, err := provider.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := provider.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		provider.Process.Kill()
		provider.Wait()
	}()
	issuer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	issuer = strings.TrimSpace(issuer)
	settings := `{"issuer":"` + issuer + `","client_id":"assimilation","client_secret":"a client's secret","role_claim":"groups","role_map":{"it":"admin"}}`
	if status, body := ada.do("PUT", "/v1/entry/provider", settings); status != http.StatusNoContent {
		t.Fatalf("setting the provider: %d %s", status, body)
	}
	if status, body := ada.do("POST", "/v1/invitations", `{"email":"bob@corp.example","role":"viewer"}`); status != http.StatusCreated {
		t.Fatalf("inviting: %d %s", status, body)
	}
	if err := s.db.Global(t.Context(), s.join("bob@corp.example", tenant)); err != nil {
		t.Fatal(err)
	}

	// A browser: it keeps cookies, follows redirects, and finds localhost here.
	server := httptest.NewServer(s.handler)
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == "localhost:80" {
			address = server.Listener.Addr().String()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
	visit := func(answer *http.Response, err error) *http.Response {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer
	}
	form := visit(browser.Get("http://localhost/sso/" + tenant + "?next=/members"))
	if !strings.HasPrefix(form.Request.URL.String(), issuer+"/auth?") {
		t.Fatalf("the browser is at %s", form.Request.URL)
	}
	page := visit(browser.PostForm(form.Request.URL.String(), url.Values{"password": {"correct horse battery"}}))
	if page.StatusCode != http.StatusOK || page.Request.URL.String() != "http://localhost/members" {
		t.Fatalf("the browser is at %s with %d", page.Request.URL, page.StatusCode)
	}
	session := jar.Cookies(&url.URL{Scheme: "http", Host: "localhost", Path: "/"})
	if len(session) != 1 || session[0].Name != "assim" {
		t.Fatalf("cookies %v", session)
	}
	status, body := ada.do("GET", "/v1/members", "")
	if status != http.StatusOK || !strings.Contains(body, `"email":"bob@corp.example","role":"admin"`) {
		t.Errorf("members: %d %s", status, body)
	}
	// The same answer of the provider a second time.
	back := form.Request.URL.Query()
	again := visit(browser.Get(callback + "?" + url.Values{"state": back["state"], "code": {"x"}}.Encode()))
	if again.StatusCode != http.StatusForbidden {
		t.Errorf("the way back a second time: %d", again.StatusCode)
	}
}
