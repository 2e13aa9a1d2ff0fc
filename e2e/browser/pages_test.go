package browser_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"assimilation/e2e/netns"
	"assimilation/e2e/world"
)

// width is that of the smallest window the console is made for.
const width = 1280

// TestEveryPage shows every page with what this host and two small ones report,
// in both themes: nothing wider than the window, no violated policy, and no
// fault that axe-core finds where npm has fetched it. With ASSIM_SCREENSHOTS it
// leaves a picture of each in that folder.
func TestEveryPage(t *testing.T) {
	lab := netns.New(t, 2)
	b := open(t)
	// The service is at an address without https, and one page is of an error.
	b.expected = []string{"The Cross-Origin-Opener-Policy header has been ignored", "status of 404", "status of 422"} // two pages are of what is not there, or wrong
	w := world.New(t, world.Options{Listen: lab.Service + ":8080"})
	g := gallery{b: b, folder: os.Getenv("ASSIM_SCREENSHOTS"), axe: readAxe(t)}
	if g.folder != "" {
		if err := os.MkdirAll(g.folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}

	// What somebody new sees.
	b.visit(w.URL + "/signup")
	g.show("signup")
	b.visit(w.URL + "/signin")
	g.show("signin")
	b.visit(w.URL + "/signup")
	b.fill("input[name=email]", "new@example.org")
	b.fill("input[name=password]", "correct horse battery")
	b.fill("input[name=tenant]", "New Ltd\r")
	b.sees("Create a site", 10*time.Second)
	g.show("empty-overview")
	for _, page := range []string{"hosts", "map", "sites", "changes", "events", "verdicts", "findings"} {
		b.visit(w.URL + "/" + page)
		g.show("empty-" + page)
	}
	b.visit(w.URL + "/")
	b.fill("input[name=name]", "paris\r")
	b.sees("Waiting for the first relay", 10*time.Second)
	g.show("empty-site")
	b.click(`form[action="/signout"] button`)
	b.sees("New here?", 10*time.Second)

	// An estate: this host, and a client and a server on a network of their own.
	_, _ = w.Relay(world.Node{Name: "paris-relay", Netns: lab.LAN, Listen: "0.0.0.0:1984", HTTP: "127.0.0.1:1985"})
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	near := strings.TrimSuffix(lab.Service, "253") + "254:1984"
	w.Probe(world.Node{Name: "here", Relay: near})
	for i, name := range []string{"db1", "web1"} {
		w.Probe(world.Node{Name: name, Netns: lab.Hosts[i].Netns, Host: name, Relay: lab.Gateway + ":1984"})
	}
	for _, name := range []string{host, "db1", "web1"} {
		w.HostUp(name, time.Minute)
	}
	database, front := lab.Hosts[0].IP+":5432", lab.Hosts[1].IP+":8080"
	world.Peer(t, world.Node{Netns: lab.Hosts[0].Netns}, "listen", database)
	world.Peer(t, world.Node{Netns: lab.Hosts[1].Netns}, "connect", database)
	brief := world.Peer(t, world.Node{Netns: lab.Hosts[1].Netns}, "listen", front)
	world.Eventually(t, time.Minute, "the dependency in the graph", func() (bool, string) {
		rows := w.Rows("query", "hostdependencies", "host=db1")
		return len(rows) > 0, fmt.Sprint(rows)
	})
	brief.Kill() // a change that a person can read

	b.visit(w.URL + "/signin")
	b.fill("input[name=email]", "owner@example.org")
	b.fill("input[name=password]", "a password of a test\r")
	b.sees("What changed", 10*time.Second)
	world.Eventually(t, time.Minute, "the closed port among the changes", func() (bool, string) {
		b.visit(w.URL + "/changes?host=web1&kind=sockets")
		page := b.text()
		return strings.Contains(page, "tcp "+front+" closed by "), page
	})
	ids := map[string]string{}
	for _, h := range w.Rows("host", "list") {
		ids[fmt.Sprint(h["name"])] = fmt.Sprint(h["id"])
	}
	here := "/hosts/" + ids[host]
	for _, page := range []struct{ name, path string }{
		{"overview", "/"}, {"hosts", "/hosts"}, {"hosts-none", "/hosts?name=nothing"}, {"sites", "/sites"}, {"site", "/sites/" + w.Site},
		{"changes", "/changes"}, {"changes-of-ports", "/changes?host=web1&kind=sockets"}, {"events", "/events"}, {"findings", "/findings?all=true"}, {"account", "/account"}, {"members", "/members"}, {"audit", "/audit"}, {"entry", "/entry"}, {"second-factor", "/account/second-factor"},
		{"queries", "/queries"}, {"query", "/queries/allipports"}, {"query-asked", "/queries/hostdependencies?host=db1"},
		{"query-impact", "/queries/impact?entity=db1"}, {"unmanaged", "/unmanaged"},
		{"cypher", "/cypher"}, {"cypher-asked", "/cypher?q=" + url.QueryEscape("MATCH (h:Host)-[:RUNS]->(s) RETURN h.name, s.name")}, {"cypher-wrong", "/cypher?q=MATCH+(n:Hst)+RETURN+n"},
		{"search", "/search?q=assim"}, {"search-address", "/search?q=" + strings.TrimSuffix(lab.Gateway, "1")}, {"search-nothing", "/search?q=zzzz"}, {"docs", "/docs"},
		{"host", here}, {"host-services", here + "/services"}, {"host-packages", here + "/packages?q=ssl"}, {"host-network", here + "/network"},
		{"host-dependencies", "/hosts/db1/dependencies"}, {"host-changes", "/hosts/web1/changes"}, {"host-timeline", "/hosts/web1/timeline"}, {"host-past", "/hosts/web1/past?ago=0"}, {"verdicts", "/verdicts"}, {"host-facts", here + "/facts/os"},
		{"problem", "/hosts/nothing"},
	} {
		b.visit(w.URL + page.path)
		g.show(page.name)
	}
	for _, page := range []struct{ name, path, holds string }{
		{"map", "/map", "web1"}, {"map-host", "/map?host=" + url.QueryEscape(host), host}, {"map-client", "/map?host=web1", "db1"},
		{"map-network", "/map?type=network", "web1"},
	} {
		b.visit(w.URL + page.path)
		g.plainOrDrawn(page.name, page.holds)
	}
}

// gallery shows pages.
type gallery struct {
	b      *browser
	folder string // "": no pictures
	axe    string // the script, or ""
}

// show looks at the page that is open, in both themes.
func (g gallery) show(name string) {
	g.b.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		g.b.eval(fmt.Sprintf(`(document.documentElement.dataset.theme = %q)`, theme))
		g.b.do(chromedp.EmulateViewport(width, 800))
		if wide := g.b.eval(`String(document.documentElement.scrollWidth)`); wide != fmt.Sprint(width) {
			g.b.t.Errorf("%s: %s pixels wide in a window of %d", name, wide, width)
		}
		g.check(name + ", " + theme)
		if g.folder == "" {
			continue
		}
		var height int
		if _, err := fmt.Sscan(g.b.eval(`String(Math.min(2400, Math.max(800, document.documentElement.scrollHeight)))`), &height); err != nil {
			g.b.t.Fatal(err)
		}
		g.b.do(chromedp.EmulateViewport(width, int64(height)))
		// A map takes its new size when it hears of it.
		g.b.eval(`(document.getElementById("map-canvas")?.cytoscape?.resize(), "")`)
		if _, err := chromedp.Run(g.b.ctx, chromedp.Evaluate[string](`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(""))))`, chromedp.EvalAwaitPromise)); err != nil {
			g.b.t.Fatalf("%s: %v", name, err)
		}
		picture, err := chromedp.Run(g.b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			g.b.t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(g.folder, name+"-"+theme+".png"), picture, 0o644); err != nil {
			g.b.t.Fatal(err)
		}
	}
	g.b.do(chromedp.EmulateViewport(width, 800))
}

// plainOrDrawn shows a map: drawn by the script where npm has built it, else as
// the plain picture.
func (g gallery) plainOrDrawn(name, holds string) {
	g.b.t.Helper()
	if g.b.eval(`String(document.querySelector("script[src*='/assets/map-']") !== null)`) != "true" {
		g.b.t.Log("the map is a plain picture: npm has built no script")
		g.show(name)
		return
	}
	world.Eventually(g.b.t, 10*time.Second, "the map drawn", func() (bool, string) {
		state := g.b.eval(`String(document.getElementById("map-canvas").cytoscape?.nodes().length ?? 0)`)
		return state != "0", state
	})
	if labels := g.b.eval(`document.getElementById("map-canvas").cytoscape.nodes().map((n) => n.data("label")).join(" ")`); !strings.Contains(labels, holds) {
		g.b.t.Errorf("%s shows %s, not %s", name, labels, holds)
	}
	g.show(name)
	g.b.eval(`(document.getElementById("map-canvas").hidden = true, document.querySelector(".map").classList.remove("drawn"), "")`)
	g.show(name + "-plain")
}

// readAxe finds axe-core among the console's packages.
func readAxe(t *testing.T) string {
	script, err := os.ReadFile(filepath.Join(world.Root(t), "saas/internal/web/ui/node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Log("axe-core is not here: accessibility is not checked")
		return ""
	}
	return string(script)
}

// check lets axe-core look for faults that keep people out.
func (g gallery) check(name string) {
	g.b.t.Helper()
	if g.axe == "" {
		return
	}
	run := `(async () => {
		const found = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]});
		return JSON.stringify(found.violations.map((v) => ({id: v.id, help: v.help, where: v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? ""))})));
	})()`
	g.b.eval(g.axe + `; ""`)
	text, err := chromedp.Run(g.b.ctx, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	if err != nil {
		g.b.t.Fatalf("%s: axe: %v", name, err)
	}
	var faults []struct {
		ID, Help string
		Where    []string
	}
	if err := json.Unmarshal([]byte(text), &faults); err != nil {
		g.b.t.Fatal(err)
	}
	for _, f := range faults {
		g.b.t.Errorf("%s: %s (%s): %s", name, f.Help, f.ID, strings.Join(f.Where, "; "))
	}
}
