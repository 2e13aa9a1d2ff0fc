package relaychan

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/wire"
)

func TestBudget(t *testing.T) {
	b := newBudget[string](100, 60)
	for i, c := range []struct {
		key   string
		bytes int64
		want  bool
	}{
		{"a", 50, true}, {"a", 11, false}, {"a", 10, true},
		{"b", 41, false}, {"b", 40, true}, {"c", 1, false}, {"c", 0, true},
	} {
		if got := b.charge(c.key, c.bytes); got != c.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	b.release("a", 60)
	b.release("c", 0)
	if !b.charge("c", 60) || len(b.of) != 2 {
		t.Errorf("after a release %v are held", b.of)
	}
}

// TestBodiesAreBounded holds more bodies open than there is room for.
func TestBodiesAreBounded(t *testing.T) {
	c := New(nil, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	c.bodies = newBudget[struct{}](10*readStep, 10*readStep)
	reached, proceed := make(chan string), make(chan struct{})
	handler := c.endpoint("batch", 4*readStep, func(_ *http.Request, envelope []byte) ([]byte, error) {
		reached <- string(envelope)
		<-proceed
		return []byte("ok"), nil
	})
	post := func(body io.Reader) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/relay/v1/batch", body))
		return w
	}
	body := strings.Repeat("x", 3*readStep-1)
	answers := make(chan int, 3)
	for range 3 {
		go func() { answers <- post(strings.NewReader(body)).Code }()
		if got := <-reached; got != body {
			t.Fatalf("%d bytes of %d arrived", len(got), len(body))
		}
	}
	if w := post(strings.NewReader(body)); w.Code != http.StatusTooManyRequests || w.Body.String() != wire.Busy.String()+"\n" || w.Header().Get("Retry-After") == "" {
		t.Errorf("beyond the room: %d %q", w.Code, w.Body)
	}
	if w := post(strings.NewReader(body + body)); w.Code != http.StatusTooManyRequests {
		t.Errorf("beyond both bounds: %d", w.Code)
	}
	close(proceed)
	for range 3 {
		if code := <-answers; code != http.StatusOK {
			t.Errorf("one that had room: %d", code)
		}
	}
	if w := post(strings.NewReader(body + body)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", w.Code)
	}
	if w := post(io.MultiReader(strings.NewReader("x"), broken{})); w.Code != http.StatusBadRequest {
		t.Errorf("cut: %d", w.Code)
	}
	if c.bodies.held != 0 {
		t.Errorf("%d bytes are still counted", c.bodies.held)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cut") }
