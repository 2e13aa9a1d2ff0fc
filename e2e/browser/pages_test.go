package browser_test

import (
	"cmp"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/netns"
	"assimilation/saas"
)

// TestEveryPage looks at every page of the service's route table, so that a new one
// is looked at by itself, and at some with what people ask of them. make e2e-browser
// looks closer, and keeps pictures.
func TestEveryPage(t *testing.T) {
	lab := netns.New(t, 2)
	b := open(t)
	b.expected = []string{
		"The Cross-Origin-Opener-Policy header has been ignored", // there is no https
		"Failed to load resource",                                // the gallery sees the same by itself, and expects some
	}
	e := newEstate(t, lab)
	g := newGallery(t, b, e.URL)
	public, own := pages(t)

	for _, p := range public {
		g.page(p, e)
	}
	b.visit(e.URL + "/signup")
	b.fill("input[name=email]", "new@example.org")
	b.fill("input[name=password]", "correct horse battery\r")
	b.sees("Create a site", time.Minute)
	g.show("empty-overview")
	empty := []string{"hosts", "map", "sites", "tokens", "changes", "events", "verdicts", "findings", "unmanaged", "search"}
	if g.closely() {
		for _, page := range empty {
			g.visit("empty-"+page, "/"+page, 200)
		}
	}
	b.visit(e.URL + "/")
	b.click("form[action='/sites'] button.primary")
	b.sees("Waiting for the first relay", time.Minute)
	g.show("empty-site")
	b.click(`form[action="/signout"] button`)
	b.sees("New here?", time.Minute)

	b.fill("input[name=email]", "owner@example.org")
	b.fill("input[name=password]", "a password of a test\r")
	b.sees("What changed", time.Minute)
	for _, p := range own {
		g.page(p, e)
	}
	g.visit("cypher-wrong", "/cypher?q="+url.QueryEscape("MATCH (n:Hst) RETURN n"), 422)
	g.visit("problem", "/hosts/nothing", 404)
	g.drawn("map-client", "/map?host=web1", "db1")
	if !g.closely() {
		return
	}
	here := "/hosts/" + e.values["host"]
	for _, page := range []struct{ name, path string }{
		{"hosts-none", "/hosts?name=nothing"}, {"changes-of-ports", "/changes?host=web1&kind=sockets"}, {"findings-all", "/findings?all=true"},
		{"query-asked", "/queries/hostdependencies?host=db1"}, {"query-impact", "/queries/impact?entity=db1"},
		{"cypher-asked", "/cypher?q=" + url.QueryEscape("MATCH (h:Host)-[:RUNS]->(s) RETURN h.name, s.name")},
		{"search-name", "/search?q=assim"}, {"search-address", "/search?q=" + e.lan}, {"search-nothing", "/search?q=zzzz"},
		{"host-packages-asked", here + "/packages?q=ssl"}, {"host-dependencies-two", "/hosts/db1/dependencies"},
		{"host-changes-two", "/hosts/web1/changes"}, {"host-timeline-two", "/hosts/web1/timeline"}, {"host-past-now", "/hosts/web1/past?ago=0"},
	} {
		g.visit(page.name, page.path, 200)
	}
	for _, page := range []struct{ name, path, holds string }{
		{"map-site", "/map?site=site", "web1"}, {"map-host", "/map?host=" + url.QueryEscape(e.host), e.host},
		{"map-network", "/map?type=network", "web1"},
	} {
		g.drawn(page.name, page.path, page.holds)
	}
}

// page is one of the route table that a browser shows.
type page struct {
	pattern string
	path    string // with {parameters}
	status  int64
}

// Pages that answer other than 200 when somebody just goes there.
var others = map[string]int64{
	"/sso/prove":             404, // the tenant has none
	"/invitation":            404, // without the secret of one
	"/invitation/accept":     404,
	"/sso/{tenant}":          404, // no provider was named
	"/sso/{tenant}/callback": 403, // without an answer of one
}

// Paths that are files to keep, or what only a program follows.
var notShown = map[string]bool{
	"/audit/export": true, "/queries/{name}/csv": true, "/tenant/export": true,
}

// pages lists what a browser shows: to anybody, and to people who are signed in.
func pages(t *testing.T) (public, own []page) {
	t.Helper()
	routes, err := saas.Routes()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		path, is := strings.CutPrefix(r.Pattern, "GET ")
		if !is || notShown[path] {
			continue
		}
		p := page{pattern: path, path: strings.TrimSuffix(path, "{$}"), status: 200}
		if status, is := others[path]; is {
			p.status = status
		}
		switch r.Sort {
		case "page":
			own = append(own, p)
		case "public page":
			public = append(public, p)
		}
	}
	return public, own
}

// Parameters of paths that stand for the same in every estate.
var everywhere = map[string]string{
	"queries/name": "allipports", "kind": "os", "guide": "accounts", "tenant": "6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52",
}

var parameter = regexp.MustCompile(`(\w+)/\{(\w+)\}`)

// page looks at a page of the route table by what its parameters stand for here.
func (g *gallery) page(p page, e *estate) {
	g.t.Helper()
	path := parameter.ReplaceAllStringFunc(p.path, func(in string) string {
		part := parameter.FindStringSubmatch(in)
		folder, name := part[1], part[2]
		for _, key := range []string{folder + "/" + name, name} {
			if value := cmp.Or(e.values[key], everywhere[key]); value != "" {
				return folder + "/" + value
			}
		}
		g.fault("page %s: newEstate has to say what %s stands for", p.pattern, in)
		return in
	})
	name := strings.Trim(strings.NewReplacer("{", "", "}", "", "/", "-", "$", "").Replace(p.pattern), "-")
	g.visit(cmp.Or(name, "overview"), path, p.status)
}
