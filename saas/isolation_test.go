package saas

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"assimilation/cmdb"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/tenancytest"
)

var (
	everyCase    = flag.Bool("every-case", false, "isolation: also what takes longer than a test may")
	summaryFile  = flag.String("summary", "", "isolation: file that gets a line for each result")
	writePermits = flag.Bool("write-permits", false, "isolation: write testdata/permits.txt anew; read the difference")
)

const permitsFile = "testdata/permits.txt"

// TestIsolation attacks every route with all that a stranger, or somebody with a
// lesser role, can send. See docs/isolation.md for what to do when it names a
// route of yours.
func TestIsolation(t *testing.T) {
	w := newIsolationWorld(t)
	permits := readPermits(t, w.routes)
	add, remove := tenancytest.Unlisted(w.routes, permits)
	for _, line := range add {
		t.Errorf("no permit is written down for a route: if this is what it must ask of people, add to saas/%s:\n%s", permitsFile, line)
	}
	for _, name := range remove {
		t.Errorf("saas/%s has a permit for %s, which is no route any more: remove it", permitsFile, name)
	}
	for _, missing := range w.suite.Untold(w.routes) {
		t.Errorf("%s (saas/isolation_world_test.go)", missing)
	}
	for _, deaf := range w.suite.Deaf(w.routes, w.victim) {
		t.Errorf("the victim itself gets nothing from %s; see the values of the victim in saas/isolation_world_test.go", deaf)
	}
	w.keep()
	defer w.serve()()
	report := &tenancytest.Report{}
	w.attack(report, w.routes, permits)
	var printed strings.Builder
	report.Print(&printed)
	t.Log("\n" + printed.String())
	summarise(t, "on the service:  ", report.Summary())
	for i, leak := range report.Leaks() {
		if i < 100 {
			t.Error(leak)
		}
	}
	if report.Cases() < 500 {
		t.Errorf("only %d cases", report.Cases())
	}
}

// summarise leaves a line for make isolation, which prints them all in the end.
func summarise(t *testing.T, of, line string) {
	t.Helper()
	if err := tenancytest.AddLine(*summaryFile, of+line); err != nil {
		t.Error(err)
	}
}

// attack tries everything on some of the routes.
func (w *isolationWorld) attack(report *tenancytest.Report, routes []tenancytest.Route, permits map[string]tenancytest.Permit) {
	w.t.Helper()
	strangers := []tenancytest.As{w.stranger}
	if *everyCase {
		strangers = append(strangers, w.strangersToken)
	}
	w.suite.Credentials(report, routes, permits, w.badCredentials...)
	w.suite.Roles(report, routes, permits, w.members...)
	w.suite.Forgeries(report, routes, w.victim)
	w.suite.Strangers(report, routes, strangers...)
	var own []tenancytest.Route
	for _, r := range routes {
		if a := r.Action; a == tenancy.Identify || a == tenancy.Own || a == tenancy.OwnTokens {
			own = append(own, r)
		}
	}
	w.suite.Strangers(report, own, w.both...)
	w.inside.Handler = w.suite.Handler
	w.inside.Strangers(report, routes, w.insider)
	if slices.ContainsFunc(routes, func(r tenancytest.Route) bool { return r.Path == "/v1/graph/query" }) {
		w.suite.Questions(report, w.stranger, questions(w.suite.Victim))
	}
	for _, m := range w.members {
		if m.Role == tenancy.Admin && !m.Unproved && !m.SSO {
			w.suite.Elevations(report, routes, w.superior, w.standing, m)
		}
	}
	report.Try("rows of others", fmt.Sprintf("after the requests of %d routes", len(routes)), func() string { return w.touched("assim.sso_attempts") })
	w.suite.Doings(report, routes, w.fresh, w.afterDoing)
	w.wayIn(report, routes)
}

// questions are ways in Cypher to everything that the graph's vocabulary knows,
// and out of the own graph.
func questions(victim tenancytest.Tenant) (all []string) {
	for _, v := range cmdb.Vertices {
		all = append(all, fmt.Sprintf("MATCH (n:%s) RETURN n", v.Label), fmt.Sprintf("MATCH (n:%s) RETURN count(n)", v.Label))
	}
	for _, e := range cmdb.Edges {
		all = append(all, fmt.Sprintf("MATCH (a)-[r:%s]->(b) RETURN a, r, b", e.Type), fmt.Sprintf("MATCH p = (a)-[:%s*1..3]->(b) RETURN p", e.Type))
	}
	for _, name := range victim.Values["{host}"] {
		all = append(all, fmt.Sprintf("MATCH (h:Host) WHERE h.name = '%[1]s' OR h.key = '%[1]s' RETURN h", name))
	}
	return all
}

// readPermits reads what people wrote down, or writes it.
func readPermits(t *testing.T, routes []tenancytest.Route) map[string]tenancytest.Permit {
	t.Helper()
	if *writePermits {
		text := "# What each route must ask of who comes, see docs/isolation.md.\n"
		add, _ := tenancytest.Unlisted(routes, nil)
		text += strings.Join(add, "\n") + "\n"
		if err := os.WriteFile(permitsFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(permitsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	permits, err := tenancytest.ReadPermits(file)
	if err != nil {
		t.Fatalf("%s: %v", permitsFile, err)
	}
	return permits
}

// takes reports whether an answer may depend on a parameter. Pages do not describe
// theirs: those of questions are the question's, others are given all.
func (w *isolationWorld) takes(r tenancytest.Route, path, parameter string) bool {
	if path == "/tenant/export" {
		return false // it takes none, and is compressed: no two are the same
	}
	if name, ok := strings.CutPrefix(path, "/queries/"); ok && !r.API {
		name = strings.TrimSuffix(name, "/csv")
		i := slices.IndexFunc(w.routes, func(r tenancytest.Route) bool { return r.Path == "/v1/queries/"+name })
		return i >= 0 && slices.Contains(w.routes[i].Queries, parameter)
	}
	if !r.API {
		return len(r.Parameters()) == 0 || *everyCase
	}
	return slices.Contains(r.Queries, parameter)
}

// routesOf are the service's routes as the suite wants them, with the parameters
// of queries that its description names.
func routesOf(t testing.TB, description []byte) (all []tenancytest.Route) {
	t.Helper()
	var api struct {
		Paths map[string]map[string]described
	}
	if err := json.Unmarshal(description, &api); err != nil {
		t.Fatal(err)
	}
	table, err := Routes()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range table {
		method, path, _ := strings.Cut(line.Pattern, " ")
		r := tenancytest.Route{Method: method, Path: path, Action: line.Action, API: line.Sort == web.APIRoute, Program: line.Sort == web.PublicRoute, Stream: strings.HasSuffix(path, "/stream")}
		for _, p := range api.Paths[path][strings.ToLower(method)].Parameters {
			if p.In == "query" {
				r.Queries = append(r.Queries, p.Name)
			}
		}
		all = append(all, r)
	}
	return all
}
