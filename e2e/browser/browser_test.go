// Package browser_test uses the console as a person does, in a real browser,
// against the real programs.
package browser_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"assimilation/e2e/world"
)

func TestMain(m *testing.M) {
	world.PeerMain()
	os.Exit(m.Run())
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
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
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
			if text := fmt.Sprint(message); !strings.HasPrefix(text, "info: ") { // as that a page has its focus already
				b.mu.Lock()
				b.messages = append(b.messages, text)
				b.mu.Unlock()
			}
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

func (b *browser) sees(text string, within time.Duration) {
	b.t.Helper()
	took := world.Eventually(b.t, within, fmt.Sprintf("%q on the page", text), func() (bool, string) {
		page := b.text()
		return strings.Contains(page, text), page
	})
	b.t.Logf("%q after %v", text, took.Round(time.Millisecond))
}

// says waits until the first element that a selector finds holds this text.
func (b *browser) says(selector, text string) {
	b.t.Helper()
	world.Eventually(b.t, time.Minute, selector+" saying "+text, func() (bool, string) {
		said := b.eval(fmt.Sprintf(`document.querySelector(%q)?.textContent.trim() ?? ""`, selector))
		return said == text, said
	})
}

// holds waits until an element has this text, shown or behind what a script draws.
func (b *browser) holds(selector, text string, within time.Duration) {
	b.t.Helper()
	took := world.Eventually(b.t, within, fmt.Sprintf("%q in %s", text, selector), func() (bool, string) {
		held := b.eval(fmt.Sprintf(`document.querySelector(%q)?.textContent ?? ""`, selector))
		return strings.Contains(held, text), held
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

// mark puts something on the page that a reload would take away.
func (b *browser) mark() { b.t.Helper(); b.eval(`(window.marked = "marked")`) }

func (b *browser) isMarked() {
	b.t.Helper()
	if b.eval(`String(window.marked)`) != "marked" {
		b.t.Error("the page was loaded anew")
	}
}

// pasted is what the clipboard holds: what Ctrl-V puts into a field made for it.
func (b *browser) pasted() string {
	b.t.Helper()
	b.eval(`(() => { const field = document.createElement("textarea"); field.id = "pasted"; document.body.append(field); field.focus(); return ""; })()`)
	if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "v", Code: "KeyV", Modifiers: 2, Commands: []string{"paste"}}); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	text := b.eval(`document.getElementById("pasted").value`)
	b.eval(`(document.getElementById("pasted").remove(), "")`)
	return text
}

// picture keeps what the window shows. Chromium never answers some that are asked
// for while it goes to another page: those are asked for again.
func (b *browser) picture(file string) {
	b.t.Helper()
	var picture []byte
	var err error
	for range 5 {
		b.whole()
		ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
		picture, err = chromedp.Run(ctx, chromedp.CaptureScreenshot())
		cancel()
		if err == nil {
			break
		}
		b.t.Logf("picture %s: %v", filepath.Base(file), err)
	}
	if err == nil {
		err = os.WriteFile(file, picture, 0o644)
	}
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// whole waits until the page that is there, or on its way, is whole.
func (b *browser) whole() {
	b.t.Helper()
	world.Eventually(b.t, time.Minute, "a whole page", func() (bool, string) {
		state := b.eval(`document.readyState`)
		return state == "complete", state
	})
}
