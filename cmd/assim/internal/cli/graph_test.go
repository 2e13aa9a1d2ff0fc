package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGraphQueryPrintsRowsAndPointsAtMistakes(t *testing.T) {
	isolate(t)
	var asked map[string]any
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/v1/graph/query":
			w.Write([]byte(`{"token": "asm_api_x", "tenant": {"name": "t"}}`))
			return
		case json.NewDecoder(r.Body).Decode(&asked) != nil:
			t.Error("the question is no JSON")
		case strings.Contains(asked["query"].(string), "Hots"):
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			w.Write([]byte(`{"title": "refused", "errors": [{"message": "there is no label Hots", "location": "query:2:10"}]}`))
			return
		}
		w.Write([]byte(`{"columns": ["h.name", "n"], "items": [{"h.name": "web1", "n": 2}], "truncated": true, "hints": ["a hint"], "sql": "SELECT $1", "arguments": ["7"], "plan": ["Result"]}`))
	}))
	defer service.Close()
	if code, _, errs := run(t, "secret\n", "login", "--url", service.URL, "--email", "a@b.c"); code != 0 {
		t.Fatal(errs)
	}
	code, out, errs := run(t, "", "graph", "query", "MATCH (h:Host) RETURN h.name", "-p", "n=2", "-p", "s=x y", "--limit", "1")
	if code != 0 || !strings.Contains(out, "web1    2") || !strings.Contains(errs, "hint: a hint") || !strings.Contains(errs, "the first 1 rows") {
		t.Errorf("exit code %d: %q, %q", code, out, errs)
	}
	if params := asked["params"].(map[string]any); params["n"] != 2.0 || params["s"] != "x y" || asked["limit"] != 1.0 {
		t.Errorf("asked %v", asked)
	}
	code, out, _ = run(t, "MATCH (h:Host) RETURN h.name", "graph", "query", "-", "-o", "csv")
	if code != 0 || out != "h.name,n\nweb1,2\n" {
		t.Errorf("exit code %d: %q", code, out)
	}
	code, out, _ = run(t, "", "graph", "query", "RETURN 7", "--explain")
	if code != 0 || out != "SELECT $1\n$1 = 7\nResult\n" {
		t.Errorf("exit code %d: %q", code, out)
	}
	code, _, errs = run(t, "", "graph", "query", "MATCH (h)\nWHERE (h:Hots) RETURN h")
	if code != 1 || !strings.HasPrefix(errs, "WHERE (h:Hots) RETURN h\n         ^\n") || !strings.Contains(errs, "there is no label Hots") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if code, _, errs = run(t, "", "graph", "query", "RETURN 1", "-p", "nothing"); code != 2 {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
