package saas

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/hardware"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// hostile are values that no parameter, form field or body expects.
var hostile = []string{
	"", "\x00", "a\xffb", "\u202e\ufeff", strings.Repeat("\u00e9", 255), strings.Repeat("x", 70_000),
	"-1", "0", "9223372036854775807", "9223372036854775808", "1e309", "NaN", "\u0967",
	"'; DROP TABLE assim.hosts; --", "%", "../../etc/passwd", "a\r\nX: y", "<script>alert(1)</script>",
	"00000000-0000-0000-0000-000000000000", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
	"{}", `"`, "MDAwMS0wMS0wMVQwMDowMDowMFoKCgo", "AAAA", "fe80::1%eth0", "-1ns", "true",
}

// described is what the API says of an operation.
type described struct {
	Parameters  []struct{ Name, In string }
	RequestBody struct {
		Content map[string]struct {
			Schema struct {
				Ref        string `json:"$ref"`
				Properties map[string]json.RawMessage
			}
		}
	}
}

// TestHostileValuesAreNeverOurFault gives every parameter, field and page
// values that it does not expect: the answer may be yes or no, but never 5xx.
func TestHostileValuesAreNeverOurFault(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web1, _ := ada.twoHosts("")
	tried := 0
	try := func(method, path, body string) {
		t.Helper()
		tried++
		if status, answer := ada.raw(method, path, body); status >= http.StatusInternalServerError {
			t.Errorf("%s %.200q with %.200q: %d %.300s", method, path, body, status, answer)
		}
	}
	api := get[struct {
		Paths      map[string]map[string]described
		Components struct {
			Schemas map[string]struct{ Properties map[string]json.RawMessage }
		}
	}](ada.client, "/openapi.json")
	good := map[string]string{"{host}": web1.name, "{site}": "paris", "{token}": "abcdefghijkl", "{id}": "nothing", "{kind}": "os",
		"{relay}": tenancy.NewID[tenancy.RelayID]().String(), "{site_id}": "nothing", "{domain}": "example.org"}
	fill := func(path, except, value string) string {
		for name, v := range good {
			if name == except {
				v = value
			}
			path = strings.ReplaceAll(path, name, v)
		}
		return path
	}
	for path, methods := range api.Paths {
		if path == "/v1/logout" {
			continue // ends the token that asks
		}
		for method, o := range methods {
			method = strings.ToUpper(method)
			var fields []string
			for _, c := range o.RequestBody.Content {
				name := c.Schema.Ref[strings.LastIndex(c.Schema.Ref, "/")+1:]
				fields = slices.Collect(maps.Keys(api.Components.Schemas[name].Properties))
			}
			for _, v := range hostile {
				for _, p := range o.Parameters {
					if p.In == "path" {
						try(method, fill(path, "{"+p.Name+"}", url.PathEscape(v)), bodyOf(operation{method, path}))
					} else {
						try(method, fill(path, "", "")+"?"+url.Values{p.Name: {v}}.Encode(), "")
					}
				}
				for _, f := range fields {
					var body map[string]any
					if json.Unmarshal([]byte(bodyOf(operation{method, path})), &body) != nil {
						body = map[string]any{"email": "x@example.org", "password": "correct horse battery", "tenant": "x"}
					}
					for _, wrong := range []any{v, map[string]string{v: v}} {
						body[f] = wrong
						text, _ := json.Marshal(body)
						try(method, fill(path, "", ""), string(text))
					}
					try(method, fill(path, "", ""), `{"`+f+`":"`+v+`"}`)
				}
				if method != http.MethodGet {
					try(method, fill(path, "", ""), v)
				}
			}
		}
	}
	pages := map[string]url.Values{}
	for _, page := range pagesOf(ada, "{host}") {
		path, query, _ := strings.Cut(page, "?")
		pages[path], _ = url.ParseQuery(query)
	}
	for path, query := range pages {
		for _, v := range hostile {
			try("GET", strings.ReplaceAll(path, "{host}", url.PathEscape(v)), "")
			for _, n := range []string{"host", "site", "state", "name", "kind", "window", "cursor", "q", "ip", "mac", "actor", "action", "object"} {
				given := url.Values{}
				maps.Copy(given, query)
				given.Set(n, v)
				try("GET", strings.ReplaceAll(path, "{host}", web1.name)+"?"+given.Encode(), "")
			}
		}
	}
	forms := map[string]url.Values{
		"/sites":                         {"name": {"new"}},
		"/sites/paris/tokens":            {"kind": {"probe"}, "name": {""}, "ttl": {""}, "max_uses": {""}, "labels": {""}, "relay_address": {""}},
		"/account/tokens":                {"name": {"x"}, "role": {"viewer"}, "expires_in": {"0"}},
		"/signup":                        {"email": {"y@example.org"}, "password": {"correct horse battery"}, "tenant": {"y"}},
		"/signin":                        {"email": {"y@example.org"}, "password": {"x"}, "next": {"/"}},
		"/sites/{id}/tokens":             {"kind": {"probe"}},
		"/sites/{id}/tokens/{id}/revoke": {}, "/sites/{id}/relays/{id}/revoke": {}, "/hosts/{id}/retire": {},
		"/account/tokens/{id}/revoke": {}, "/account/sessions/{id}/end": {},
		"/signup/resend": {"email": {"y@example.org"}}, "/signup/confirm": {"token": {"x"}, "password": {"x"}}, "/signin/code": {"code": {"000000"}},
		"/reset": {"email": {"y@example.org"}}, "/reset/new": {"token": {"x"}, "password": {"correct horse battery"}}, "/account/address/confirm": {"token": {"x"}},
		"/prove": {"secret": {"x"}, "next": {"/"}}, "/sso": {"email": {"y@example.org"}}, "/sso/{id}": {}, "/members/{id}/role": {"role": {"viewer"}},
		"/members/{id}/site": {"site_id": {"x"}, "role": {"operator"}}, "/members/{id}/remove": {}, "/members/name": {"name": {"Example"}},
		"/invitations": {"email": {"z@example.org"}, "role": {"viewer"}}, "/invitations/{id}/revoke": {}, "/entry/domains": {"domain": {"example.org"}},
		"/entry/provider":           {"issuer": {"https://127.0.0.1"}, "client_id": {"c"}, "client_secret": {"s"}, "role_map": {"a=admin"}, "default_role": {"viewer"}, "role_claim": {"g"}},
		"/entry/domains/{id}/prove": {}, "/entry/domains/{id}/remove": {},
	}
	for path, form := range forms {
		for _, v := range hostile {
			try("POST", strings.ReplaceAll(path, "{id}", url.PathEscape(v)), form.Encode())
			try("POST", strings.ReplaceAll(path, "{id}", "x"), v)
			for name := range form {
				given := maps.Clone(form)
				given.Set(name, v)
				try("POST", path, given.Encode())
			}
		}
	}
	t.Log(tried, "requests")
}

// raw is do for addresses that httptest.NewRequest does not take.
func (c client) raw(method, path, body string) (int, string) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return http.StatusBadRequest, "" // net/http answers so itself
	}
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	r.URL, r.RequestURI = u, path
	r.Header.Set("Content-Type", "application/json")
	if !strings.HasPrefix(path, "/v1/") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	w := hangsUp{httptest.NewRecorder(), cancel}
	c.s.handler.ServeHTTP(w, r.WithContext(ctx))
	return w.Code, w.Body.String()
}

// hangsUp goes with the first words of a stream, which would have no end.
type hangsUp struct {
	*httptest.ResponseRecorder
	hangUp func()
}

func (h hangsUp) Flush() {
	h.ResponseRecorder.Flush()
	h.hangUp()
}

// putRaw puts a body as it stands, whatever its kind says of it.
func (m *machine) putRaw(kind discovery.Kind, instance, body string) {
	m.version++
	hash := discovery.HashBody(kind.Name, 1, []byte(body))
	m.e.add(uplink.Change{Type: uplink.FactPut, Host: m.id, Kind: kind.Name, Instance: instance, Term: 1, Version: m.version,
		Schema: 1, Hash: hash[:], Body: []byte(body)})
}

// TestOneHostsNonsenseHarmsNoOther: what a probe, or a relay that was taken
// over, says of one host must not hide the others.
func TestOneHostsNonsenseHarmsNoOther(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	ada.twoHosts("")
	bad := ada.machine("=cmd|x")
	bad.put(network.Kind, "", network.Facts{Links: []network.Link{{Name: "eth0", Type: "ether", MAC: "zz", MTU: -5,
		Addresses: []network.Address{{IP: "garbage", Prefix: 9999}, {IP: "fe80::1%eth0", Prefix: 64}, {IP: ""}}}},
		Routes: []network.Route{{Destination: "x", Gateway: "y", Table: -1}}})
	bad.put(sockets.Kind, "", sockets.Facts{Services: []sockets.Service{{Name: "a|b", Exe: "|||", Argv: []string{"=1+1"}, UID: -99,
		Listens:  []sockets.Listen{{Protocol: "x|y", IP: "garbage", Port: 99999999}, {Protocol: "tcp", IP: "10.0.0.10|tcp|443", Port: 1}},
		Connects: []sockets.Connect{{Protocol: "tcp", IP: "nope", Port: -1}}}}})
	bad.put(packages.Kind, "0", packages.Facts{Manager: "\u202e", Packages: []packages.Package{{Name: "=HYPERLINK(1)", Version: "@x"}}})
	ada.send()
	custom := discovery.Kind{Name: "x-custom"}
	for i, kind := range []discovery.Kind{os.Kind, network.Kind, sockets.Kind, packages.Kind, neighbours.Kind, hardware.Kind, custom} {
		for j, body := range []string{`5`, `[]`, `"x"`, `null`, `{"kernel":7,"links":5,"neighbours":1,"packages":{},"release":[],"services":"x"}`,
			`{"links":[null],"neighbours":[null],"packages":[null],"services":[null]}`, `{"services":[{"listens":[{"port":9223372036854775807}]}]}`} {
			m := ada.machine(fmt.Sprintf("bad-%d-%d", i, j))
			m.putRaw(kind, "", body)
			ada.send()
			for _, path := range []string{"", "/services", "/packages", "/network", "/dependencies", "/changes", "/facts/" + kind.Name} {
				if status, _ := ada.do("GET", "/hosts/"+m.id.String()+path, ""); status != http.StatusOK {
					t.Errorf("%s %s: its page %q: %d", kind.Name, body, path, status)
				}
			}
			for _, path := range []string{"", "/facts", "/facts/" + kind.Name} {
				get[any](ada.client, "/v1/hosts/"+m.id.String()+path)
			}
		}
	}
	for _, path := range pagesOf(ada, bad.id.String()) {
		if status, _ := ada.do("GET", path, ""); status >= http.StatusInternalServerError {
			t.Errorf("%s: %d", path, status)
		}
	}
	if changes := get[list[struct{ Host, Summary string }]](ada.client, "/v1/changes?limit=1000"); len(changes.Items) < 20 {
		t.Errorf("%d changes are shown", len(changes.Items))
	}
	if _, answer := ada.do("GET", "/queries/allhosts/csv", ""); strings.Contains(answer, "\n=cmd") || strings.Contains(answer, "\n@") {
		t.Errorf("a spreadsheet would compute this:\n%s", answer)
	}
}

func TestAHostsFactsAreReadWithinBounds(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	m := ada.machine("fat")
	for i := range 5 {
		m.putRaw(discovery.Kind{Name: "x-fat"}, fmt.Sprint(i), `{"fat":"`+strings.Repeat("0", 7<<20)+`"}`)
		ada.send()
	}
	for path, want := range map[string]int{"/v1/hosts/fat": 200, "/v1/hosts/fat/facts": 413, "/v1/hosts/fat/facts/x-fat": 413, "/v1/hosts/fat/facts/os": 200,
		"/hosts/fat": 200, "/hosts/fat/facts/x-fat": 413, "/changes": 200, "/hosts/fat/changes": 200} {
		if status, body := ada.do("GET", path, ""); status != want {
			t.Errorf("%s: %d, want %d: %.200s", path, status, want, body)
		}
	}
}

func TestOnePersonTakesNotAllLiveStreams(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	server := httptest.NewServer(s.handler)
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	open := func() int {
		r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/v1/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+ada.token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return answer.StatusCode
	}
	for i := range 64 {
		if status := open(); status != http.StatusOK {
			t.Fatalf("stream %d: %d", i, status)
		}
	}
	if status := open(); status != http.StatusTooManyRequests {
		t.Errorf("one more: %d, want 429", status)
	}
	if status, _ := ada.do("GET", "/v1/hosts", ""); status != http.StatusOK {
		t.Errorf("the API meanwhile: %d", status)
	}
}
