package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"assimilation/e2e/world"
)

// Widths of windows: of a desk and of a telephone.
const (
	wide   = 1280
	narrow = 400
)

// gallery looks at pages.
type gallery struct {
	t      *testing.T
	b      *browser
	net    *traffic
	base   string // address of the service
	folder string // of pictures; "": none, and only what must hold of all is checked
	axe    string // the script, or ""
	seen   int
	faults int
}

func newGallery(t *testing.T, b *browser, base string) *gallery {
	t.Helper()
	g := &gallery{t: t, b: b, net: watch(t, b, base), base: base, folder: os.Getenv("ASSIM_SCREENSHOTS"), axe: readAxe(t)}
	if g.folder != "" {
		if err := os.MkdirAll(g.folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	t.Cleanup(func() {
		t.Logf("%d pages were looked at in %v: %d faults", g.seen, time.Since(start).Round(time.Second), g.faults)
	})
	return g
}

// closely reports whether there is time for more than every page once.
func (g *gallery) closely() bool { return g.folder != "" }

// each looks at something in a subtest, so that one page can be chosen by its name.
func (g *gallery) each(name string, look func()) {
	whole := g.t
	defer func() { g.t, g.b.t = whole, whole }()
	whole.Run(name, func(t *testing.T) {
		g.t, g.b.t = t, t
		look()
	})
}

// visit goes to a page, which has to answer with this status, and looks at it.
func (g *gallery) visit(name, path string, status int64) {
	g.each(name, func() {
		g.b.visit(g.base + path)
		if got := g.net.answered(); got != status {
			g.fault("%s: status %d, not %d", path, got, status)
		}
		g.show(name)
	})
}

// fault is something wrong with a page; the others are looked at all the same.
func (g *gallery) fault(format string, args ...any) {
	g.t.Helper()
	g.faults++
	g.t.Errorf(format, args...)
}

// show looks at the page that is open, in both themes, wide and narrow: nothing is
// wider than the window, no request fails or leaves the service, and axe-core finds
// no fault where npm has fetched it.
func (g *gallery) show(name string) {
	g.t.Helper()
	g.seen++
	for _, theme := range []string{"light", "dark"} {
		g.theme(theme)
		g.fits(name, wide)
		g.check(name+", "+theme, theme == "dark" && !g.closely())
		g.picture(name+"-"+theme, wide)
	}
	g.theme("light")
	g.fits(name, narrow)
	if g.closely() {
		g.check(name+", narrow", false)
		g.picture(name+"-narrow", narrow)
	}
	g.b.do(chromedp.EmulateViewport(wide, 800))
	if faults := g.net.wrong(); len(faults) > 0 {
		g.fault("%s: %s", name, strings.Join(faults, "; "))
	}
}

// theme changes at once: a colour on its way is none that axe-core can judge.
func (g *gallery) theme(theme string) {
	g.b.eval(fmt.Sprintf(`(() => {
		if (!document.getElementById("at-once")) {
			const sheet = new CSSStyleSheet();
			sheet.replaceSync("* { transition: none !important; animation: none !important; }");
			document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
		}
		return document.documentElement.dataset.theme = %q;
	})()`, theme))
}

func (g *gallery) fits(name string, width int) {
	g.t.Helper()
	g.b.do(chromedp.EmulateViewport(int64(width), 800))
	g.settled()
	if real := g.b.eval(`String(document.documentElement.scrollWidth)`); real != fmt.Sprint(width) {
		widest := g.b.eval(`(() => {
			const over = [...document.querySelectorAll("body *")].filter((el) => el.getBoundingClientRect().right > innerWidth + 1);
			return over.slice(0, 3).map((el) => el.tagName + "." + el.className + "#" + el.id).join(" ");
		})()`)
		g.fault("%s: %s pixels wide in a window of %d: %s", name, real, width, widest)
	}
}

// settled waits until the page has been drawn: maps take their new size, and what
// scrolls is given to the keyboard, when they hear of the window's.
func (g *gallery) settled() {
	g.t.Helper()
	g.b.eval(`(document.getElementById("map-canvas")?.cytoscape?.resize(), "")`)
	if _, err := chromedp.Run(g.b.ctx, chromedp.Evaluate[string](`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(""))))`, chromedp.EvalAwaitPromise)); err != nil {
		g.t.Fatalf("browser: %v", err)
	}
}

// picture keeps the page, at most three windows of it.
func (g *gallery) picture(name string, width int) {
	g.t.Helper()
	if !g.closely() {
		return
	}
	var height int
	if _, err := fmt.Sscan(g.b.eval(`String(Math.min(2400, Math.max(800, document.documentElement.scrollHeight)))`), &height); err != nil {
		g.t.Fatal(err)
	}
	g.b.do(chromedp.EmulateViewport(int64(width), int64(height)))
	g.settled()
	g.b.picture(filepath.Join(g.folder, name+".png"))
}

// drawn looks at a map: drawn by the script where npm has built it, and as the plain
// picture.
func (g *gallery) drawn(name, path, holds string) {
	g.each(name, func() { g.lookAtMap(name, path, holds) })
}

func (g *gallery) lookAtMap(name, path, holds string) {
	g.t.Helper()
	g.b.visit(g.base + path)
	if g.b.eval(`String(document.querySelector("script[src*='/assets/map-']") !== null)`) != "true" {
		g.t.Log("the map is a plain picture: npm has built no script")
		g.show(name)
		return
	}
	world.Eventually(g.t, time.Minute, "the map drawn", func() (bool, string) {
		state := g.b.eval(`String(document.getElementById("map-canvas").cytoscape?.nodes().length ?? 0)`)
		return state != "0", state
	})
	if labels := g.b.eval(`document.getElementById("map-canvas").cytoscape.nodes().map((n) => n.data("label")).join(" ")`); !strings.Contains(labels, holds) {
		g.fault("%s shows %s, not %s", name, labels, holds)
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

// check lets axe-core look for faults that keep people out; of a page that was
// checked in another theme only colours can be new.
func (g *gallery) check(name string, onlyColours bool) {
	g.t.Helper()
	if g.axe == "" {
		return
	}
	rules := `{runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}`
	if onlyColours {
		rules = `{runOnly: {type: "rule", values: ["color-contrast"]}}`
	}
	run := `(async () => {
		const found = await axe.run(document, ` + rules + `);
		return JSON.stringify(found.violations.map((v) => ({id: v.id, help: v.help, where: v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? ""))})));
	})()`
	if g.b.eval(`typeof axe`) == "undefined" {
		g.b.eval(g.axe + `; ""`)
	}
	text, err := chromedp.Run(g.b.ctx, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	if err != nil {
		g.t.Fatalf("%s: axe: %v", name, err)
	}
	var faults []struct {
		ID, Help string
		Where    []string
	}
	if err := json.Unmarshal([]byte(text), &faults); err != nil {
		g.t.Fatal(err)
	}
	for _, f := range faults {
		g.fault("%s: %s (%s): %s", name, f.Help, f.ID, strings.Join(f.Where, "; "))
	}
}
