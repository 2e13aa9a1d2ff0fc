package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/tenancy"
)

// source is a Listener that a test feeds and breaks.
type source struct {
	connects chan struct{}
	notices  chan string // closed: the connection breaks
	refuse   int         // connections to refuse first
	tries    []time.Time
}

func (s *source) Listen(ctx context.Context, channel string, ready func(), heard func(string)) error {
	s.tries = append(s.tries, time.Now())
	if s.refuse > 0 {
		s.refuse--
		return errors.New("refused")
	}
	ready()
	if s.connects != nil {
		s.connects <- struct{}{}
	}
	for {
		select {
		case n, ok := <-s.notices:
			if !ok {
				s.notices = nil
				return errors.New("broken")
			}
			heard(n)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func newHub(s *source) *Hub { return NewHub(s, slog.New(slog.DiscardHandler)) }

func TestHubKeepsTenantsApart(t *testing.T) {
	h := newHub(&source{})
	a, b := tenancy.NewID[tenancy.TenantID](), tenancy.NewID[tenancy.TenantID]()
	subA, err := h.Subscribe(a)
	if err != nil {
		t.Fatal(err)
	}
	subB, err := h.Subscribe(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{
		a.String() + " facts", a.String() + " hosts", a.String() + " facts",
		"", " ", "facts", a.String(), a.String() + " ", a.String() + " secrets", a.String() + " resync", a.String() + "facts",
		strings.ToUpper(a.String())[:35] + " facts", "{" + a.String() + "} facts", a.String() + " facts\nevent: x",
	} {
		h.dispatch(payload)
	}
	got, err := subA.Next(t.Context())
	if want := []Topic{Hosts, Facts}; err != nil || !slices.Equal(got, want) {
		t.Errorf("tenant a heard %v, %v, want %v merged", got, err, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := subB.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("tenant b heard %v, %v, want nothing", got, err)
	}
}

func TestHubReconnectsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{connects: make(chan struct{}), notices: make(chan string), refuse: 9}
		h := newHub(s)
		sub, err := h.Subscribe(tenancy.NewID[tenancy.TenantID]())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()

		<-s.connects
		if got, err := sub.Next(ctx); err != nil || !slices.Equal(got, []Topic{Resync}) {
			t.Errorf("after the first connection: %v, %v, want resync", got, err)
		}
		last := s.tries[len(s.tries)-1].Sub(s.tries[len(s.tries)-2])
		if len(s.tries) != 10 || last != 10*time.Second {
			t.Errorf("%d tries, the last after %v; want 10, the wait grown to its limit of 10 s", len(s.tries), last)
		}
		close(s.notices)
		<-s.connects
		if again := s.tries[10].Sub(s.tries[9]); again != 100*time.Millisecond {
			t.Errorf("reconnected after %v, want 100ms: it had worked", again)
		}
		if got, err := sub.Next(ctx); err != nil || !slices.Equal(got, []Topic{Resync}) {
			t.Errorf("after the reconnection: %v, %v, want resync", got, err)
		}

		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if _, err := sub.Next(t.Context()); !errors.Is(err, ErrHubClosed) {
			t.Errorf("Next after the end: %v", err)
		}
		if _, err := h.Subscribe(tenancy.NewID[tenancy.TenantID]()); !errors.Is(err, ErrHubClosed) {
			t.Errorf("Subscribe after the end: %v", err)
		}
	})
}

func TestSubscriptionsAreBounded(t *testing.T) {
	h := newHub(&source{})
	tenant := tenancy.NewID[tenancy.TenantID]()
	var last *Subscription
	for range MaxSubscriptions {
		var err error
		if last, err = h.Subscribe(tenant); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Subscribe(tenant); !errors.Is(err, ErrTooManySubscriptions) {
		t.Errorf("one more: %v", err)
	}
	if _, err := h.Subscribe(tenancy.NewID[tenancy.TenantID]()); err != nil {
		t.Errorf("another tenant: %v", err)
	}
	last.Close()
	if _, err := h.Subscribe(tenant); err != nil {
		t.Errorf("after one closed: %v", err)
	}
}

// gate lets a session in until it is closed.
type gate struct{ open atomic.Bool }

func (g *gate) BySession(context.Context, [32]byte) (Actor, error) {
	if !g.open.Load() {
		return Actor{}, ErrUnknownSession
	}
	return Actor{Role: tenancy.Viewer}, nil
}

func (g *gate) ByToken(context.Context, tenancy.Token, string) (Actor, error) {
	return Actor{}, ErrUnknownToken
}

func TestStreamTellsTopicsAndEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		g.open.Store(true)
		log := slog.New(slog.DiscardHandler)
		h := NewHub(&source{}, log)
		s := New(Config{Auth: g, Hub: h, Log: log, Metrics: prometheus.NewRegistry(), URL: &url.URL{Scheme: "http"},
			Ready: func(context.Context) error { return nil }})
		tenant := tenancy.NewID[tenancy.TenantID]()
		sub, err := h.Subscribe(tenant)
		if err != nil {
			t.Fatal(err)
		}
		value, _ := NewSession()
		r := httptest.NewRequest("GET", "/v1/stream", nil).WithContext(t.Context())
		r.AddCookie(s.SessionCookie(value, 60))
		w := httptest.NewRecorder()
		start := time.Now()
		ended := make(chan struct{})
		go func() { s.stream(w, r, sub, tellTopics); close(ended) }()

		synctest.Wait()
		h.dispatch(tenant.String() + " facts")
		synctest.Wait()
		<-time.After(heartbeat + time.Second) // fake time: one heartbeat passes
		g.open.Store(false)
		<-ended
		body, err := io.ReadAll(w.Result().Body)
		if err != nil {
			t.Fatal(err)
		}
		if want := ": listening\n\nevent: facts\ndata: {}\n\n: still here\n\n"; string(body) != want {
			t.Errorf("streamed %q, want %q", body, want)
		}
		if took := time.Since(start); took != 2*heartbeat {
			t.Errorf("the stream of an ended session lived %v, want %v", took, 2*heartbeat)
		}
	})
}

func TestStreamOfABusyTenantEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		log := slog.New(slog.DiscardHandler)
		h := NewHub(&source{}, log)
		s := New(Config{Auth: g, Hub: h, Log: log, Metrics: prometheus.NewRegistry(), URL: &url.URL{Scheme: "http"},
			Ready: func(context.Context) error { return nil }})
		tenant := tenancy.NewID[tenancy.TenantID]()
		sub, err := h.Subscribe(tenant)
		if err != nil {
			t.Fatal(err)
		}
		value, _ := NewSession()
		r := httptest.NewRequest("GET", "/v1/stream", nil).WithContext(t.Context())
		r.AddCookie(s.SessionCookie(value, 60)) // the gate is closed: the session has ended
		ended := make(chan struct{})
		go func() { s.stream(httptest.NewRecorder(), r, sub, tellTopics); close(ended) }()
		for range 2 * int(heartbeat/time.Second) {
			<-time.After(time.Second) // of fake time
			h.dispatch(tenant.String() + " facts")
		}
		select {
		case <-ended:
		default:
			t.Error("a stream that never falls silent outlives its session")
		}
	})
}

// A session that is revoked ends its stream at the notice of it, within the same
// second, and others of the tenant go on.
func TestStreamEndsAtOnceWithARevokedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		g.open.Store(true)
		log := slog.New(slog.DiscardHandler)
		h := NewHub(&source{}, log)
		s := New(Config{Auth: g, Hub: h, Log: log, Metrics: prometheus.NewRegistry(), URL: &url.URL{Scheme: "http"},
			Ready: func(context.Context) error { return nil }})
		tenant := tenancy.NewID[tenancy.TenantID]()
		sub, err := h.Subscribe(tenant)
		if err != nil {
			t.Fatal(err)
		}
		value, _ := NewSession()
		r := httptest.NewRequest("GET", "/v1/stream", nil).WithContext(t.Context())
		r.AddCookie(s.SessionCookie(value, 60))
		w := httptest.NewRecorder()
		start := time.Now()
		ended := make(chan struct{})
		go func() { s.stream(w, r, sub, tellTopics); close(ended) }()
		synctest.Wait()
		h.dispatch(tenant.String() + " people") // somebody else's
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("another's revocation ended the stream")
		default:
		}
		g.open.Store(false)
		h.dispatch(tenant.String() + " people")
		<-ended
		if took := time.Since(start); took != 0 {
			t.Errorf("the stream lived %v more", took)
		}
		if body := w.Body.String(); strings.Contains(body, "people") {
			t.Errorf("the notice was told: %q", body)
		}
	})
}
