// Package browser_test uses the console as a person does, in a real browser,
// against the real programs.
package browser_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"assimilation/e2e/world"
)

func TestMain(m *testing.M) {
	world.PeerMain()
	os.Exit(m.Run())
}

// TestFromSignUpToTheFirstHost signs up, creates a site, installs a relay and a
// probe with the tokens that the pages show, and watches the pages follow
// without a reload.
func TestFromSignUpToTheFirstHost(t *testing.T) {
	b := open(t)
	w := world.New(t, world.Options{})

	b.visit(w.URL + "/hosts?name=x")
	if at := b.path(); at != "/signin" {
		t.Fatalf("a stranger who asks for hosts is at %s", at)
	}
	b.visit(w.URL + "/signup")
	b.fill("input[name=email]", "ada@example.org")
	b.fill("input[name=password]", "correct horse battery")
	b.fill("input[name=tenant]", "Browser Ltd\r")
	b.sees("Create a site", 10*time.Second)
	b.fill("input[name=name]", "paris\r")
	b.sees("Waiting for the first relay", 10*time.Second)
	relayToken := b.eval(`document.getElementById("token").textContent`)
	if install := b.eval(`document.getElementById("install").textContent`); !strings.Contains(install, relayToken) || !strings.HasPrefix(relayToken, "asm_rly_") {
		t.Fatalf("the install line %q does not hold the token", install)
	}

	_, relay := w.Relay(world.Node{Name: "paris-relay", Token: relayToken})
	b.sees("online", 30*time.Second)
	if b.shows("Waiting for the first relay") {
		t.Error("the page still waits for the first relay")
	}

	b.click("form[action$='/tokens'] button.primary")
	b.sees("Install probes", 10*time.Second)
	w.Probe(world.Node{Name: "probe", Relay: relay, Token: b.eval(`document.getElementById("token").textContent`)})
	b.visit(w.URL + "/hosts")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	b.sees(host, 60*time.Second)
	b.click("tbody th a")
	b.sees("Kernel", 10*time.Second)
	b.click(`.tabs a[href$="/services"]`)
	b.sees("Listens on", 30*time.Second)

	address := world.FreeTCP(t)
	server := world.Peer(t, world.Node{}, "listen", address)
	b.sees(address+"/tcp", 20*time.Second)
	server.Kill()
	b.gone(address+"/tcp", 20*time.Second)

	before := b.eval(`getComputedStyle(document.body).backgroundColor`)
	for b.eval(`document.documentElement.dataset.theme`) != "dark" {
		b.click("button[data-theme-switch]")
	}
	b.visit(w.URL + "/")
	if after := b.eval(`getComputedStyle(document.body).backgroundColor`); after == before {
		t.Errorf("the dark theme did not outlive a page: %s, then %s", before, after)
	}
	b.click(`form[action="/signout"] button`)
	b.sees("New here?", 10*time.Second)
	b.visit(w.URL + "/hosts")
	if at := b.path(); at != "/signin" {
		t.Errorf("after signing out, /hosts is at %s", at)
	}
}

// browser is one tab.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	messages []string // of the console: a violated policy is one
	expected []string // parts of messages that are no fault
}

func open(t *testing.T) *browser {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("no Chromium: apt-get install chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.ExecPath(program), chromedp.WindowSize(1280, 900))
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"))
	go func() {
		for message, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.messages = append(b.messages, fmt.Sprint(message))
			b.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, m := range b.messages {
			if !slices.ContainsFunc(b.expected, func(part string) bool { return strings.Contains(m, part) }) {
				t.Errorf("console: %s", m)
			}
		}
	})
	return b
}

func (b *browser) do(action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, action); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

func (b *browser) visit(address string)       { b.t.Helper(); b.do(chromedp.Navigate(address)) }
func (b *browser) click(selector string)      { b.t.Helper(); b.do(chromedp.Click(selector)) }
func (b *browser) fill(selector, text string) { b.t.Helper(); b.do(chromedp.SendKeys(selector, text)) }

// eval is the value of an expression that is a string.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatalf("browser: %s: %v", expression, err)
	}
	return v
}

func (b *browser) path() string {
	b.t.Helper()
	address, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	return u.Path
}

// text is what the page shows now; between two pages it is empty.
func (b *browser) text() string {
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	if err != nil {
		return ""
	}
	return v
}

func (b *browser) shows(text string) bool { return strings.Contains(b.text(), text) }

func (b *browser) sees(text string, within time.Duration) {
	b.t.Helper()
	took := world.Eventually(b.t, within, fmt.Sprintf("%q on the page", text), func() (bool, string) {
		page := b.text()
		return strings.Contains(page, text), page
	})
	b.t.Logf("%q after %v", text, took.Round(time.Millisecond))
}

func (b *browser) gone(text string, within time.Duration) {
	b.t.Helper()
	took := world.Eventually(b.t, within, fmt.Sprintf("%q gone from the page", text), func() (bool, string) {
		page := b.text()
		return page != "" && !strings.Contains(page, text), page
	})
	b.t.Logf("%q gone after %v", text, took.Round(time.Millisecond))
}
