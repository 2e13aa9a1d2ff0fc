package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// directory knows one actor per credential.
type directory struct {
	sessions map[[32]byte]web.Actor
	tokens   map[string]web.Actor
	refusal  error // of every credential, when set
}

func (d *directory) BySession(_ context.Context, hash [32]byte) (web.Actor, error) {
	if d.refusal != nil {
		return web.Actor{}, d.refusal
	}
	if a, ok := d.sessions[hash]; ok {
		return a, nil
	}
	return web.Actor{}, web.ErrUnknownSession
}

func (d *directory) ByToken(_ context.Context, t tenancy.Token, _ string) (web.Actor, error) {
	if d.refusal != nil {
		return web.Actor{}, d.refusal
	}
	if a, ok := d.tokens[t.ID]; ok {
		return a, nil
	}
	return web.Actor{}, web.ErrUnknownToken
}

// front is a Web under test with its log.
type front struct {
	*web.Web
	auth    *directory
	metrics *prometheus.Registry
	log     bytes.Buffer
}

func newFront(t *testing.T, address string) *front {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{auth: &directory{map[[32]byte]web.Actor{}, map[string]web.Actor{}, nil}, metrics: prometheus.NewRegistry()}
	log := slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.Web = web.New(web.Config{
		Auth: f.auth, Hub: web.NewHub(nil, log), Log: log, Metrics: f.metrics, URL: u, Version: "test",
		Ready: func(context.Context) error { return nil },
	})
	return f
}

// session adds an actor and returns their cookie.
func (f *front) session(role tenancy.Role) *http.Cookie {
	value, hash := web.NewSession()
	f.auth.sessions[hash] = web.Actor{Email: string(role) + "@example.org", Role: role, Tenant: tenancy.NewID[tenancy.TenantID](), ProvedAt: time.Now()}
	return f.SessionCookie(value, 60)
}

func (f *front) serve(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	h, err := f.Handler()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type none struct{}

func ok(context.Context, *none) (*struct{ Body string }, error) {
	return &struct{ Body string }{"fine"}, nil
}

func TestOperationWithoutRoleDoesNotStart(t *testing.T) {
	for name, metadata := range map[string]map[string]any{
		"none": nil, "empty": {}, "unknown action": web.Needs(tenancy.Action("rule")), "empty action": web.Needs(tenancy.Action("")), "wrong type": {"needs": "viewer"},
	} {
		f := newFront(t, "http://localhost")
		huma.Register(f.API, huma.Operation{OperationID: "x", Method: "GET", Path: "/v1/x", Metadata: metadata}, ok)
		if _, err := f.Handler(); err == nil || !strings.Contains(err.Error(), "GET /v1/x") {
			t.Errorf("%s: Handler says %v, want an error that names the operation", name, err)
		}
	}
}

func TestRoles(t *testing.T) {
	roles := []tenancy.Role{tenancy.Viewer, tenancy.Operator, tenancy.Admin, tenancy.Owner}
	actions := map[tenancy.Role]tenancy.Action{tenancy.Viewer: tenancy.Read, tenancy.Operator: tenancy.RetireHost, tenancy.Admin: tenancy.SetTenant, tenancy.Owner: tenancy.SetEntry}
	f := newFront(t, "http://localhost")
	for _, needed := range roles {
		huma.Register(f.API, huma.Operation{OperationID: string(needed), Method: "GET", Path: "/v1/" + string(needed), Metadata: web.Needs(actions[needed])}, ok)
		f.Page("GET /"+string(needed), actions[needed], func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
			_, err := io.WriteString(w, a.Email)
			return err
		})
	}
	for have, actor := range roles {
		cookie := f.session(actor)
		for want, needed := range roles {
			for _, path := range []string{"/v1/", "/"} {
				r := httptest.NewRequest("GET", path+string(needed), nil)
				r.AddCookie(cookie)
				status := http.StatusForbidden
				if have >= want {
					status = http.StatusOK
				}
				if got := f.serve(t, r).StatusCode; got != status {
					t.Errorf("%s asks for %s%s: %d, want %d", actor, path, needed, got, status)
				}
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	f := newFront(t, "http://localhost")
	huma.Register(f.API, huma.Operation{OperationID: "x", Method: "GET", Path: "/v1/x", Metadata: web.Needs(tenancy.Read)}, ok)
	good := tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	f.auth.tokens[good.ID] = web.Actor{Role: tenancy.Viewer}
	stranger := tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	enrol := tenancy.NewToken(tenancy.EnrolToken, [32]byte{1}, "")
	cookie := f.session(tenancy.Viewer)
	otherCookie, _ := web.NewSession()

	tests := []struct {
		name, header, cookie string
		status               int
		reason               string
	}{
		{"token", "Bearer " + good.String(), "", 200, ""},
		{"scheme in lower case", "bearer " + good.String(), "", 200, ""},
		{"token wins over a bad cookie", "Bearer " + good.String(), "nonsense", 200, ""},
		{"bad token is not saved by a cookie", "Bearer nonsense", cookie.Value, 401, "malformed token"},
		{"nothing", "", "", 401, ""},
		{"basic", "Basic dTpw", "", 401, ""},
		{"empty bearer", "Bearer ", "", 401, "malformed token"},
		{"damaged", "Bearer " + good.String()[:30] + "x" + good.String()[31:], "", 401, "malformed token"},
		{"huge", "Bearer asm_api_" + strings.Repeat("a", 100_000), "", 401, "malformed token"},
		{"of a probe", "Bearer " + enrol.String(), "", 401, "wrong kind of token: an API token starts with asm_api_"},
		{"unknown", "Bearer " + stranger.String(), "", 401, "unknown token"},
		{"cookie", "", cookie.Value, 200, ""},
		{"unknown cookie", "", otherCookie, 401, "session unknown or ended"},
		{"short cookie", "", "YWJj", 401, "malformed session cookie"},
		{"cookie that is no base64", "", "!!!", 401, "malformed session cookie"},
		{"long cookie", "", strings.Repeat("A", 5000), 401, "malformed session cookie"},
	}
	for _, test := range tests {
		before := refusals(t, f, test.reason)
		r := httptest.NewRequest("GET", "/v1/x", nil)
		if test.header != "" {
			r.Header.Set("Authorization", test.header)
		}
		if test.cookie != "" {
			r.Header.Set("Cookie", cookie.Name+"="+test.cookie)
		}
		answer := f.serve(t, r)
		if answer.StatusCode != test.status {
			t.Errorf("%s: %d, want %d", test.name, answer.StatusCode, test.status)
		}
		if test.status == 401 && (answer.Header.Get("WWW-Authenticate") != "Bearer" || answer.Header.Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s: header %v", test.name, answer.Header)
		}
		if body := text(t, answer); test.reason != "" && !strings.Contains(body, strings.Split(test.reason, ":")[0]) {
			t.Errorf("%s: the answer %s does not say %q", test.name, body, test.reason)
		}
		if after := refusals(t, f, test.reason); test.reason != "" && after != before+1 {
			t.Errorf("%s: counted %v refusals of %q, want 1", test.name, after-before, test.reason)
		}
	}
}

// refusals reads the counter of one reason.
func refusals(t *testing.T, f *front, reason string) float64 {
	t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "assim_http_refused_total" && m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestDirectoryFailureIsNotARefusal(t *testing.T) {
	f := newFront(t, "http://localhost")
	huma.Register(f.API, huma.Operation{OperationID: "x", Method: "GET", Path: "/v1/x", Metadata: web.Needs(tenancy.Read)}, ok)
	cookie := f.session(tenancy.Viewer)
	f.auth.refusal = errors.New("database gone, password hunter2")
	r := httptest.NewRequest("GET", "/v1/x", nil)
	r.AddCookie(cookie)
	answer := f.serve(t, r)
	if body := text(t, answer); answer.StatusCode != 503 || strings.Contains(body, "hunter2") {
		t.Errorf("%d %s, want 503 without the cause", answer.StatusCode, body)
	}
	if !strings.Contains(f.log.String(), "database gone") {
		t.Error("the cause is not in the log")
	}
}

func TestPageSendsStrangersToSignIn(t *testing.T) {
	f := newFront(t, "http://localhost")
	f.Page("/hosts", tenancy.Read, func(http.ResponseWriter, *http.Request, web.Actor) error { return nil })
	for method, want := range map[string]string{"GET": "/signin?next=%2Fhosts%3Fname%3Dw", "POST": "/signin"} {
		answer := f.serve(t, httptest.NewRequest(method, "/hosts?name=w", nil))
		if answer.StatusCode != 303 || answer.Header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want 303 to %q", method, answer.StatusCode, answer.Header.Get("Location"), want)
		}
	}
}

func TestErrorsTellStrangersNothing(t *testing.T) {
	f := newFront(t, "http://localhost")
	cookie := f.session(tenancy.Viewer)
	secret := errors.New("dial 10.1.2.3: hunter2")
	huma.Register(f.API, huma.Operation{OperationID: "x", Method: "GET", Path: "/v1/x", Metadata: web.Anyone()},
		func(context.Context, *none) (*none, error) { return nil, secret })
	f.Page("GET /x", tenancy.Read, func(http.ResponseWriter, *http.Request, web.Actor) error { return secret })
	f.Page("GET /panic", tenancy.Read, func(http.ResponseWriter, *http.Request, web.Actor) error { panic("hunter2") })
	for _, path := range []string{"/v1/x", "/x", "/panic"} {
		f.log.Reset()
		r := httptest.NewRequest("GET", path, nil)
		r.AddCookie(cookie)
		answer := f.serve(t, r)
		if body := text(t, answer); answer.StatusCode != 500 || strings.Contains(body, "hunter2") {
			t.Errorf("%s: %d %s", path, answer.StatusCode, body)
		}
		if n := strings.Count(f.log.String(), "level=ERROR"); n != 1 || !strings.Contains(f.log.String(), "hunter2") {
			t.Errorf("%s: %d errors in the log, want the cause once:\n%s", path, n, &f.log)
		}
	}
}

func TestValidationDoesNotRepeatInput(t *testing.T) {
	f := newFront(t, "http://localhost")
	type input struct {
		Body struct {
			Password string `json:"password" maxLength:"8"`
		}
	}
	huma.Register(f.API, huma.Operation{OperationID: "x", Method: "POST", Path: "/v1/x", Metadata: web.Anyone()},
		func(context.Context, *input) (*none, error) { return nil, nil })
	for name, body := range map[string]string{
		"too long": `{"password":"hunter2hunter2"}`, "unknown field": `{"password":"x","passphrase":"hunter2"}`, "no JSON": `{"password":hunter2`,
	} {
		r := httptest.NewRequest("POST", "/v1/x", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		answer := f.serve(t, r)
		if got := text(t, answer); answer.StatusCode < 400 || answer.StatusCode > 499 || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %d %s", name, answer.StatusCode, got)
		}
	}
}

func TestUnknownAddresses(t *testing.T) {
	f := newFront(t, "http://localhost")
	huma.Register(f.API, huma.Operation{OperationID: "x", Method: "GET", Path: "/v1/x", Metadata: web.Anyone()}, ok)
	for _, test := range []struct {
		method, path, accept string
		status               int
		media                string
	}{
		{"GET", "/v1/nothing", "", 404, "application/problem+json"},
		{"GET", "/nothing", "text/html", 404, "text/html; charset=utf-8"},
		{"GET", "/nothing", "", 404, "application/problem+json"},
		{"DELETE", "/v1/x", "", 405, "application/problem+json"},
		{"GET", "/v1/x?surprise=1", "", 422, "application/problem+json"},
	} {
		r := httptest.NewRequest(test.method, test.path, nil)
		r.Header.Set("Accept", test.accept)
		answer := f.serve(t, r)
		if answer.StatusCode != test.status || answer.Header.Get("Content-Type") != test.media {
			t.Errorf("%s %s: %d %s, want %d %s", test.method, test.path, answer.StatusCode, answer.Header.Get("Content-Type"), test.status, test.media)
		}
		if test.status == 405 && answer.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("Allow: %q", answer.Header.Get("Allow"))
		}
	}
}

func TestCrossOriginWritesAreRefused(t *testing.T) {
	f := newFront(t, "https://assim.example")
	cookie := f.session(tenancy.Owner)
	f.Page("POST /sites", tenancy.Read, func(http.ResponseWriter, *http.Request, web.Actor) error { return nil })
	for site, status := range map[string]int{"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200, "": 200} {
		r := httptest.NewRequest("POST", "https://assim.example/sites", nil)
		r.AddCookie(cookie)
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		if got := f.serve(t, r).StatusCode; got != status {
			t.Errorf("Sec-Fetch-Site %q: %d, want %d", site, got, status)
		}
	}
}

func TestCookieAndHeaders(t *testing.T) {
	for address, secure := range map[string]bool{"http://localhost": false, "https://assim.example": true} {
		f := newFront(t, address)
		c := f.SessionCookie("v", 60)
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || strings.HasPrefix(c.Name, "__Host-") != secure {
			t.Errorf("%s: cookie %+v", address, c)
		}
		h := f.serve(t, httptest.NewRequest("GET", "/livez", nil)).Header
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q", address, policy)
		}
		if (h.Get("Strict-Transport-Security") != "") != secure || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", address, h)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	f := newFront(t, "http://localhost")
	var got error
	f.Public("POST /raw", 10, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, got = io.ReadAll(r.Body) }))
	f.serve(t, httptest.NewRequest("POST", "/raw", strings.NewReader(strings.Repeat("x", 11))))
	var tooLarge *http.MaxBytesError
	if !errors.As(got, &tooLarge) {
		t.Errorf("reading 11 bytes of at most 10: %v", got)
	}
	f.PublicPage("POST /form", func(w http.ResponseWriter, r *http.Request) error { return r.ParseForm() })
	r := httptest.NewRequest("POST", "/form", strings.NewReader("a="+strings.Repeat("x", 100_000)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if answer := f.serve(t, r); answer.StatusCode != 413 {
		t.Errorf("a form of 100 kB: %d, want 413", answer.StatusCode)
	}
}

func TestDescriptionAndHealth(t *testing.T) {
	f := newFront(t, "http://localhost")
	huma.Register(f.API, huma.Operation{OperationID: "x", Method: "GET", Path: "/v1/x", Metadata: web.Anyone()}, ok)
	var description struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	answer := f.serve(t, httptest.NewRequest("GET", "/openapi.json", nil))
	if err := json.NewDecoder(answer.Body).Decode(&description); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(description.OpenAPI, "3.1") || description.Paths["/v1/x"] == nil || description.Paths["/v1/stream"] == nil {
		t.Errorf("described: %+v", description)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if answer := f.serve(t, httptest.NewRequest("GET", path, nil)); answer.StatusCode != 200 {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
	if answer := f.serve(t, httptest.NewRequest("GET", "/metrics", nil)); answer.StatusCode != 404 {
		t.Errorf("the public reads /metrics: %d", answer.StatusCode)
	}
	internal := httptest.NewRecorder()
	f.Metrics().ServeHTTP(internal, httptest.NewRequest("GET", "/metrics", nil))
	if metrics := text(t, internal.Result()); !strings.Contains(metrics, `assim_http_requests_total{code="200",route="GET /livez"} 1`) {
		t.Errorf("the requests are not counted:\n%s", metrics)
	}
}
