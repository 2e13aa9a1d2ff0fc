package saas

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheAPIIsDescribed holds the description in docs/ to the code, and every
// operation to what a reader needs.
func TestTheAPIIsDescribed(t *testing.T) {
	description, err := Describe()
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile("../docs/openapi.json")
	if err != nil || !bytes.Equal(written, description) {
		t.Errorf("docs/openapi.json is not what the code says (%v): make generate", err)
	}
	var api struct {
		OpenAPI    string
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Enum []string }
			}
		}
		Paths map[string]map[string]struct {
			OperationID, Summary, Description string
			Security                          []map[string][]string
			Parameters                        []struct {
				Name, In, Description string
				Example               any
				Schema                struct{ Examples []any }
			}
			Responses map[string]struct {
				Content map[string]json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(description, &api); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(api.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s", api.OpenAPI)
	}
	if codes := api.Components.Schemas["ErrorModel"].Properties["code"].Enum; len(codes) < 10 {
		t.Errorf("codes of problems: %q", codes)
	}
	placeholder := regexp.MustCompile(`\{(\w+)\}`)
	operations := 0
	for path, methods := range api.Paths {
		for method, op := range methods {
			operations++
			name := method + " " + path
			if op.Summary == "" {
				t.Errorf("%s has no summary", name)
			}
			open := entrances[path]
			if !open && (len(op.Security) == 0 || !strings.Contains(op.Description, "Needs the role ") && !strings.Contains(op.Description, "Anyone who is known")) {
				t.Errorf("%s does not say who may use it", name)
			}
			for _, p := range op.Parameters {
				if p.Example == nil && len(p.Schema.Examples) == 0 {
					t.Errorf("%s: parameter %s has no example", name, p.Name)
				}
			}
			wanted := []string{"500"}
			if !open {
				wanted = append(wanted, "401", "403")
			}
			if placeholder.MatchString(path) {
				wanted = append(wanted, "404")
			}
			for _, status := range wanted {
				if op.Responses[status].Content["application/problem+json"] == nil {
					t.Errorf("%s does not describe its answer %s", name, status)
				}
			}
			// Lists have cursors.
			if ok := op.Responses["200"]; bytes.Contains(ok.Content["application/json"], []byte("/ListOf")) || bytes.Contains(ok.Content["application/json"], []byte("schemas/List")) {
				paged := false
				for _, p := range op.Parameters {
					paged = paged || p.Name == "cursor"
				}
				if !paged && !whole[path] {
					t.Errorf("%s answers a list and takes no cursor", name)
				}
			}
		}
	}
	if operations < 30 {
		t.Errorf("only %d operations are described", operations)
	}
}

// entrances are for people who are not known yet.
var entrances = map[string]bool{"/v1/login": true, "/v1/signup": true, "/v1/signup/resend": true, "/v1/signup/confirm": true, "/v1/reset": true, "/v1/reset/confirm": true}

// whole are the lists whose length is bounded by what they list.
var whole = map[string]bool{
	"/v1/views": true, "/v1/sites/{site}/install-lines": true, "/v1/sites/{site}/pending": true, "/v1/webhooks": true, "/v1/exporters": true, "/v1/exporters/{exporter}/undelivered": true,
	"/v1/queries": true, "/v1/api-tokens": true, "/v1/sessions": true, "/v1/tenants": true, "/v1/invitations": true, "/v1/entry/domains": true, "/v1/hosts/{host}/facts": true, "/v1/hosts/{host}/facts/{kind}": true,
}

// TestProblemsHaveCodes asks for what is not there, or not allowed.
func TestProblemsHaveCodes(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	ada.machine("twin")
	ada.machine("twin")
	ada.send()
	for _, test := range []struct{ token, path, code string }{
		{"", "/v1/hosts", "unauthenticated"}, {"nonsense", "/v1/hosts", "malformed_token"}, {ada.token, "/v1/hosts/nothing", "not_found"}, {ada.token, "/v1/nothing", "not_found"},
		{ada.token, "/v1/hosts?limit=0", "invalid"}, {ada.token, "/v1/hosts?cursor=x", "invalid_cursor"}, {ada.token, "/v1/changes?cursor=x", "invalid_cursor"},
		{ada.token, "/v1/hosts/twin", "ambiguous_name"}, {ada.token, "/v1/map?host=twin", "ambiguous_name"}, {ada.token, "/v1/map?host=a&site=b", "invalid"},
		{ada.token, "/v1/queries/findip?ip=x", "invalid"}, {ada.token, "/v1/search", "invalid"},
	} {
		status, body := client{s, test.token}.do("GET", test.path, "")
		var problem struct {
			Status int
			Code   string
		}
		if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Status != status || problem.Code != test.code {
			t.Errorf("%s: %d %s, want the code %s (%v)", test.path, status, body, test.code, err)
		}
	}
	if _, body := ada.do("DELETE", "/v1/hosts", ""); !strings.Contains(body, `"code":"method_not_allowed"`) {
		t.Errorf("a method that is not known: %s", body)
	}
}
