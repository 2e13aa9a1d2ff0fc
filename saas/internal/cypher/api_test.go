package cypher

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/humatest"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// post asks by HTTP, as a viewer of the tenant.
func (w world) post(t *testing.T, body string) (int, map[string]any) {
	t.Helper()
	_, api := humatest.New(t)
	w.Register(api)
	r := httptest.NewRequest(http.MethodPost, "/v1/graph/query", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r = r.WithContext(web.WithActor(r.Context(), web.Actor{Tenant: w.own, Role: tenancy.Viewer}))
	answer := httptest.NewRecorder()
	api.Adapter().ServeHTTP(answer, r)
	var decoded map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &decoded); err != nil {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	return answer.Code, decoded
}

func TestAPI(t *testing.T) {
	w := newWorld(t, 6)
	for _, test := range []struct {
		body   string
		status int
		says   string // somewhere in the answer
	}{
		{`{"query": "MATCH (h:Host {name: $n}) RETURN h.name AS name, h.cores", "params": {"n": "host2"}}`, 200, `"items":[{"h.cores":4,"name":"host2"}]`},
		{`{"query": "MATCH (h:Host) WHERE h.cores = $c RETURN h.name", "params": {"c": 2}}`, 200, `"items":[{"h.name":"host1"}]`},
		{`{"query": "MATCH (h:Host) WHERE h.name IN $l RETURN count(*) AS c", "params": {"l": ["host1", "host2", 7]}}`, 200, `"items":[{"c":2}]`},
		{`{"query": "MATCH (h:Host) RETURN h.name", "limit": 2}`, 200, `"truncated":true`},
		{`{"query": "MATCH (h:Service)-[:RUNS]->(x) RETURN x"}`, 200, `RUNS leads from Host to Service`},
		{`{"query": "RETURN 1", "params": {"unused": 1}}`, 200, `the parameter unused is not used`},
		{`{"query": "MATCH (h:Host) RETURN h.name", "explain": true}`, 200, `"plan":["`},
		{`{"query": "MATCH (h:Hots) RETURN h"}`, 422, `query:1:10`},
		{`{"query": "RETURN 1 / 0"}`, 422, `divided by 0`},
		{`{"query": "RETURN $x"}`, 422, `the parameter $x has no value`},
		{`{"query": "RETURN 1", "params": [1]}`, 422, `no JSON object`},
		{`{"query": "RETURN $x", "params": {"x": 99999999999999999999}}`, 422, `outside 64 bits`},
		{`{"query": "RETURN $x", "params": {"x": "a\u0000b"}}`, 422, `NUL`},
		{`{"query": "RETURN 1", "limit": 10001}`, 422, `limit`},
		{`{"query": ""}`, 422, `query`},
	} {
		status, answer := w.post(t, test.body)
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if status != test.status || !strings.Contains(strings.ReplaceAll(string(text), `\u003e`, ">"), test.says) {
			t.Errorf("%s:\n%d %.600s\nwant %d %s", test.body, status, text, test.status, test.says)
		}
	}
}

func TestParameterNestingAndCountAreBounded(t *testing.T) {
	for _, text := range []string{
		`{"x": ` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}`,
		`{"x": [` + strings.TrimSuffix(strings.Repeat("1,", maxItems+1), ",") + `]}`,
		`{"x": "` + strings.Repeat("a", maxParameters) + `"}`,
		`{"x": 1} {"y": 2}`, `{"x": `, `"x"`,
	} {
		if _, err := readParameters([]byte(text)); err == nil {
			t.Errorf("%.60s was read", text)
		}
	}
	values, err := readParameters([]byte(`{"i": 1, "f": 1.0, "e": 1e2, "l": [null, true, "s", {"a": -9223372036854775808}]}`))
	if err != nil || values["i"] != int64(1) || values["f"] != 1.0 || values["e"] != 100.0 {
		t.Errorf("%#v, %v", values, err)
	}
}

func FuzzParameters(f *testing.F) {
	f.Add([]byte(`{"a": [1, 2.5, null, "x", {"b": true}]}`))
	f.Add([]byte(`{"a": 1e400}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		values, err := readParameters(text)
		if err == nil && values == nil {
			t.Fatal("no values and no error")
		}
	})
}
