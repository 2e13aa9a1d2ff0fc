package browser_test

import (
	"fmt"
	"net/url"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// traffic is what a browser's pages asked for.
type traffic struct {
	host string // the only one that may be asked

	mu     sync.Mutex
	status int64 // of the last page
	faults []string
}

// watch notes from now on each request that fails or goes to another host.
func watch(t *testing.T, b *browser, address string) *traffic {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w := &traffic{host: u.Host}
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatalf("browser: %v", err)
	}
	if err := chromedp.Listen(b.ctx, w.note); err != nil {
		t.Fatalf("browser: %v", err)
	}
	return w
}

func (w *traffic) note(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != w.host && u.Scheme != "data" && u.Scheme != "blob" {
			w.faults = append(w.faults, "asks another host: "+e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			w.status = e.Response.Status
		} else if e.Response.Status >= 400 {
			w.faults = append(w.faults, fmt.Sprintf("status %d: %s", e.Response.Status, e.Response.URL))
		}
	case *network.EventLoadingFailed:
		// A page that is left breaks off what it listens to.
		if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" || e.BlockedReason != "" {
			w.faults = append(w.faults, fmt.Sprintf("a %s failed: %s %s", e.Type, e.ErrorText, e.BlockedReason))
		}
	}
}

// answered is the status of the page that was visited last.
func (w *traffic) answered() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// wrong returns what was wrong since the last call.
func (w *traffic) wrong() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	faults := w.faults
	w.faults = nil
	return faults
}
