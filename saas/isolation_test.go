package saas

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// operation is one route of the API, from its own description.
type operation struct{ method, path string }

func operations(c client) []operation {
	description := get[struct {
		Paths map[string]map[string]json.RawMessage
	}](c, "/openapi.json")
	var all []operation
	for path, methods := range description.Paths {
		for method := range methods {
			if path != "/v1/stream" { // has no end; TestStreamIsOfTheTenant
				all = append(all, operation{strings.ToUpper(method), path})
			}
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// bodyOf makes a request of the operation pass validation.
func bodyOf(o operation) string {
	switch o.path {
	case "/v1/sites":
		return `{"name":"new"}`
	case "/v1/sites/{site}":
		if o.method == "PATCH" {
			return `{"beat_ms":2000}`
		}
	case "/v1/sites/{site}/tokens":
		return `{"kind":"probe"}`
	case "/v1/api-tokens":
		return `{"name":"new"}`
	case "/v1/members/{id}", "/v1/members/{id}/sites/{site_id}":
		if o.method == "PUT" {
			return `{"role":"operator"}`
		}
	case "/v1/invitations":
		return `{"email":"new@example.org","role":"viewer"}`
	case "/v1/tenant":
		return `{"name":"new"}`
	case "/v1/entry":
		return `{"second_factor_required":false,"sso_required":false}`
	case "/v1/entry/provider":
		return `{"issuer":"https://127.0.0.1","client_id":"c","client_secret":"s"}`
	case "/v1/exporters", "/v1/exporters/{exporter}":
		if o.method != "GET" && o.method != "DELETE" {
			return `{"name":"new","protocol":"http","endpoint":"https://otlp.example.org"}`
		}
	case "/v1/entry/domains":
		return `{"domain":"new.example.org"}`
	}
	return ""
}

// TestStrangersReachNothing sends every request of the API and every page as
// a tenant who knows all identifiers of another.
func TestStrangersReachNothing(t *testing.T) {
	s := newService(t)
	ada, eve := s.signUp("ada@example.org", "ada-tenant", "ada-paris"), s.signUp("eve@evil.example", "Evil", "lyon")
	web, _ := ada.twoHosts("ada-")
	condemned := idOf(ada.conclude(uplink.HostDown, 1, web))
	ada.send()
	eve.twoHosts("eve-")
	_, body := ada.do("POST", "/v1/sites/ada-paris/tokens", `{"kind":"probe","name":"ada-token"}`)
	token := body[strings.Index(body, "asm_enr_")+len("asm_enr_"):][:tenancy.TokenIDLength]
	apiToken := strings.Split(ada.token, "_")[2]
	member := get[list[struct{ ID string }]](ada.client, "/v1/members").Items[0].ID
	_, body = ada.do("POST", "/v1/invitations", `{"email":"ada-guest@example.org","role":"viewer"}`)
	var invited struct{ ID string }
	if err := json.Unmarshal([]byte(body), &invited); err != nil {
		t.Fatal(err)
	}
	if status, body := ada.do("POST", "/v1/entry/domains", `{"domain":"ada-domain.example"}`); status != http.StatusCreated {
		t.Fatalf("naming a domain: %d %s", status, body)
	}
	var exporter struct{ ID string }
	if _, body := ada.do("POST", "/v1/exporters", `{"name":"ada-exporter","protocol":"http","endpoint":"https://ada-otlp.example.org","headers":{"x-key":"ada-secret"}}`); json.Unmarshal([]byte(body), &exporter) != nil || exporter.ID == "" {
		t.Fatalf("making an exporter: %s", body)
	}
	before := ada.count(`SELECT count(*)::int FROM assim.audit`)

	ids := map[string][]string{
		"{host}": {web.id.String(), web.name}, "{site}": {ada.source.Site.String(), "ada-paris"}, "{token}": {token},
		"{relay}": {ada.source.Relay.String()}, "{id}": {apiToken, member, invited.ID}, "{site_id}": {ada.source.Site.String()}, "{domain}": {"ada-domain.example"}, "{exporter}": {exporter.ID}, "{verdict}": {condemned}, "{kind}": {"sockets"}, "{name}": {"allservers"},
	}
	var requests []operation
	for _, o := range operations(eve.client) {
		if !entrances[o.path] && o.path != "/v1/logout" {
			requests = append(requests, o)
		}
	}
	site := ada.source.Site.String()
	for _, path := range append(pagesOf(ada, web.id.String()), "/verdicts/"+condemned, "/sites/"+site+"/topology", "/verdicts?site="+site, "/events?site="+site) {
		requests = append(requests, operation{"GET", path})
	}
	for _, path := range []string{"/hosts/{host}/retire", "/sites/{site}/policy", "/sites/{site}/tokens", "/sites/{site}/tokens/{token}/revoke", "/sites/{site}/relays/{relay}/revoke", "/account/tokens/{id}/revoke",
		"/members/{id}/role", "/members/{id}/site", "/members/{id}/remove", "/invitations/{id}/revoke", "/entry/domains/{domain}/prove", "/entry/domains/{domain}/remove", "/export/{exporter}", "/export/{exporter}/test", "/export/{exporter}/remove"} {
		requests = append(requests, operation{"POST", path})
	}
	for _, page := range []string{"/members", "/audit", "/audit/export?format=csv", "/audit/export?format=json", "/entry", "/audit?object=" + site, "/v1/audit?object=" + site, "/v1/audit/export?format=json", "/export", "/export/{exporter}"} {
		requests = append(requests, operation{"GET", page})
	}
	for _, query := range []string{"/v1/changes?host=", "/v1/events?host=", "/v1/findings?host=", "/v1/hosts?name=", "/v1/verdicts?host=", "/verdicts?host=", "/v1/events?after=0&host=", "/v1/queries/hostipports?host=", "/v1/queries/hostsubgraph?host=", "/v1/queries/why?host=", "/v1/queries/impact?entity=", "/v1/queries/safe-to-reboot?host=", "/v1/graph/draw?type=network&format=json&host=", "/v1/graph/draw?type=ring&host=", "/map?type=network&host=", "/changes?window=all&host=", "/events?host=", "/findings?host=", "/v1/map?host=", "/v1/map.svg?host=", "/map?host=", "/v1/search?q=", "/search?q="} {
		requests = append(requests, operation{"GET", query + "{host}"})
	}
	for _, query := range []string{"/v1/graph/draw?format=dot&site=", "/v1/graph/draw?type=ring&site=", "/v1/map?site=", "/v1/map.svg?site=", "/map?site=", "/v1/hosts?site=", "/v1/verdicts?site=", "/v1/events?site="} {
		requests = append(requests, operation{"GET", query + "{site}"})
	}
	for _, q := range []string{"ada", "10.0.0", "02:00", "443", "nginx", "openssl"} {
		requests = append(requests, operation{"GET", "/v1/search?q=" + q}, operation{"GET", "/search?q=" + q})
	}
	for _, query := range []string{"impact?entity=10.0.0.10", "impact?entity=service:nginx", "shared-fate?service=nginx", "what-listens?port=443", "who-uses?package=openssl", "packagegrep?regex=.", "packageprefix?prefix=o", "unmanaged", "coverage",
		"duplicates", "orphans?unused=1s", "nodns", "nooui", "allhostsubgraph"} {
		requests = append(requests, operation{"GET", "/v1/queries/" + query}, operation{"GET", "/queries/" + query})
	}
	requests = append(requests, operation{"GET", "/unmanaged"}, operation{"GET", "/v1/graph/draw?format=json"}, operation{"GET", "/v1/graph/draw?type=network&format=json&subnet=10.0.0.0/24"})
	tried := 0
	for _, o := range requests {
		for _, path := range filled(o.path, ids) {
			tried++
			form := bodyOf(o)
			switch {
			case strings.HasPrefix(path, "/v1/"):
			case strings.HasPrefix(path, "/export/"):
				form = "name=new&protocol=http&endpoint=https%3A%2F%2Fotlp.example.org"
			case strings.HasSuffix(path, "/tokens"):
				form = "kind=probe"
			case strings.HasSuffix(path, "/role"), strings.HasSuffix(path, "/site"):
				form = "role=operator&site_id=" + site
			}
			status, answer := eve.do(o.method, path, form)
			given := strings.ReplaceAll(strings.ReplaceAll(answer, web.name, ""), web.id.String(), "") // what she wrote herself comes back in forms
			for _, secret := range []string{"ada-", "ada@example.org", ada.source.Tenant.String(), ada.source.Relay.String()} {
				if strings.Contains(given, secret) {
					t.Errorf("%s %s as a stranger: %d shows %q", o.method, path, status, secret)
				}
			}
			if named := strings.Contains(o.path, "{") && !strings.HasPrefix(o.path, "/v1/queries/{"); named && o.method != "GET" && status != http.StatusNotFound {
				t.Errorf("%s %s as a stranger: %d, want 404", o.method, path, status)
			}
			if strings.HasPrefix(o.path, "/v1/hosts/{") || strings.HasPrefix(o.path, "/v1/sites/{") || strings.HasPrefix(o.path, "/v1/verdicts/{") {
				if status != http.StatusNotFound {
					t.Errorf("%s %s as a stranger: %d %s, want 404", o.method, path, status, answer)
				}
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d requests were tried", tried)
	}
	if after := ada.count(`SELECT count(*)::int FROM assim.audit`); after != before {
		t.Errorf("a stranger caused %d changes", after-before)
	}
	if n := ada.count(`SELECT (SELECT count(*) FROM assim.hosts WHERE retired_at IS NULL)::int + (SELECT count(*) FROM assim.tokens WHERE revoked_at IS NULL)::int + (SELECT count(*) FROM assim.relays WHERE revoked_at IS NULL)::int`); n != 4 {
		t.Errorf("%d hosts, tokens and relays are left, want 4", n)
	}
	if status, _ := ada.do("GET", "/v1/whoami", ""); status != http.StatusOK {
		t.Errorf("ada's own token: %d", status)
	}
}

// filled are the paths that a pattern stands for.
func filled(pattern string, ids map[string][]string) []string {
	paths := []string{pattern}
	for name, values := range ids {
		var next []string
		for _, p := range paths {
			if !strings.Contains(p, name) {
				next = append(next, p)
				continue
			}
			for _, v := range values {
				next = append(next, strings.ReplaceAll(p, name, v))
			}
		}
		paths = next
	}
	return paths
}

// TestRoles holds what each role may do against the description's operations:
// a new operation must be added here.
func TestRoles(t *testing.T) {
	needs := map[string]tenancy.Role{
		"POST /v1/sites": tenancy.Admin, "PATCH /v1/sites/{site}": tenancy.Admin, "POST /v1/sites/{site}/tokens": tenancy.Admin, "DELETE /v1/tokens/{token}": tenancy.Admin,
		"DELETE /v1/relays/{relay}": tenancy.Admin, "POST /v1/hosts/{host}/retire": tenancy.Operator,
		"GET /v1/audit": tenancy.Admin, "GET /v1/audit/export": tenancy.Admin, "PATCH /v1/tenant": tenancy.Admin,
		"PUT /v1/members/{id}": tenancy.Admin, "DELETE /v1/members/{id}": tenancy.Admin, "PUT /v1/members/{id}/sites/{site_id}": tenancy.Admin,
		"GET /v1/invitations": tenancy.Admin, "POST /v1/invitations": tenancy.Admin, "DELETE /v1/invitations/{id}": tenancy.Admin,
		"GET /v1/entry": tenancy.Owner, "PUT /v1/entry": tenancy.Owner, "GET /v1/entry/provider": tenancy.Owner, "PUT /v1/entry/provider": tenancy.Owner, "DELETE /v1/entry/provider": tenancy.Owner,
		"GET /v1/entry/domains": tenancy.Owner, "POST /v1/entry/domains": tenancy.Owner, "POST /v1/entry/domains/{domain}/prove": tenancy.Owner, "DELETE /v1/entry/domains/{domain}": tenancy.Owner,
		"POST /v1/api-tokens": tenancy.Viewer, "DELETE /v1/api-tokens/{id}": tenancy.Viewer, "DELETE /v1/sessions/{id}": tenancy.Viewer,
		"GET /v1/exporters": tenancy.Admin, "POST /v1/exporters": tenancy.Admin, "GET /v1/exporters/{exporter}": tenancy.Admin, "PUT /v1/exporters/{exporter}": tenancy.Admin, "DELETE /v1/exporters/{exporter}": tenancy.Admin,
		"POST /v1/exporters/{exporter}/test": tenancy.Admin, "GET /v1/exporters/{exporter}/undelivered": tenancy.Admin,
		"POST /v1/graph/query": tenancy.Viewer, "PUT /v1/history": tenancy.Admin,
	}
	pages := map[string]tenancy.Role{
		"POST /sites": tenancy.Admin, "POST /sites/{site}/policy": tenancy.Admin, "POST /sites/{site}/tokens": tenancy.Admin, "POST /sites/{site}/tokens/{token}/revoke": tenancy.Admin,
		"POST /sites/{site}/relays/{relay}/revoke": tenancy.Admin, "POST /hosts/{host}/retire": tenancy.Operator, "POST /account/tokens": tenancy.Viewer,
		"GET /members": tenancy.Viewer, "GET /audit": tenancy.Admin, "GET /audit/export": tenancy.Admin, "GET /entry": tenancy.Owner, "POST /entry/rules": tenancy.Owner, "POST /entry/domains": tenancy.Owner,
		"POST /entry/provider/remove": tenancy.Owner, "POST /members/{id}/role": tenancy.Admin, "POST /members/{id}/remove": tenancy.Admin, "GET /export": tenancy.Admin, "GET /export/{exporter}": tenancy.Admin, "POST /export": tenancy.Admin, "POST /export/{exporter}": tenancy.Admin,
		"POST /export/{exporter}/test": tenancy.Admin, "POST /export/{exporter}/remove": tenancy.Admin, "POST /members/{id}/site": tenancy.Admin, "POST /invitations/{id}/revoke": tenancy.Admin,
	}
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	ada.twoHosts("")
	ids := map[string][]string{"{host}": {"nothing"}, "{site}": {"nothing"}, "{token}": {"abcdefghijkl"}, "{relay}": {tenancy.NewID[tenancy.RelayID]().String()},
		"{id}": {"nothing"}, "{site_id}": {"nothing"}, "{domain}": {"nothing"}, "{exporter}": {"nothing"}, "{verdict}": {"nothing"}, "{kind}": {"os"}, "{name}": {"allservers"}}
	for _, o := range operations(ada.client) {
		name := o.method + " " + o.path
		if entrances[o.path] || o.path == "/v1/logout" {
			continue
		}
		if _, listed := needs[name]; !listed {
			if o.method != "GET" {
				t.Errorf("%s changes something and is not in the list of roles", name)
			}
			needs[name] = tenancy.Viewer
		}
		if status, _ := (client{s: s}).do(o.method, filled(o.path, ids)[0], bodyOf(o)); status != http.StatusUnauthorized {
			t.Errorf("%s as nobody: %d, want 401", name, status)
		}
	}
	for name, role := range pages {
		needs[name] = role
	}
	for _, have := range []tenancy.Role{tenancy.Viewer, tenancy.Operator, tenancy.Admin} {
		_, body := ada.do("POST", "/v1/api-tokens", fmt.Sprintf(`{"name":"x","role":%q}`, have))
		var made struct{ Token string }
		if err := json.Unmarshal([]byte(body), &made); err != nil {
			t.Fatal(err)
		}
		actor := client{s, made.Token}
		for name, needed := range needs {
			method, path, _ := strings.Cut(name, " ")
			status, _ := actor.do(method, filled(path, ids)[0], bodyOf(operation{method, path}))
			if allowed := status != http.StatusForbidden; allowed != have.Allows(needed) {
				t.Errorf("%s %s: %d, though it needs %s", have, name, status, needed)
			}
		}
	}
}
