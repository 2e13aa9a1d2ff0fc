package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

const (
	lookEvery = time.Second
	atOnce    = 16               // endpoints that one process calls at a time
	ofTenant  = 4                // of them, endpoints of one tenant
	turn      = 30 * time.Second // after which an endpoint waits for its next turn, behind others
	lease     = 2 * time.Minute  // renewed before each try; a try takes at most 10 s
	maxAnswer = 1024             // bytes that are kept of an answer

	gone = http.StatusGone // by the standard: never call again
)

// Run calls endpoints until ctx ends. Any number of processes may.
func (s *Service) Run(ctx context.Context) error {
	group := errgroup.Group{}
	group.SetLimit(atOnce)
	defer group.Wait()
	busy := newCalling()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		all, err := s.awake(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("looking for webhooks", "error", err)
		}
		for _, a := range all {
			if !busy.begin(a) {
				continue
			}
			if !group.TryGo(func() error {
				defer busy.end(a)
				s.take(ctx, a)
				return nil
			}) {
				busy.end(a)
			}
		}
	}
}

type awake struct {
	Tenant tenancy.TenantID
	ID     tenancy.WebhookID
}

// take serves one that is awake. A tenant that is being dropped has endpoints
// that are awake until their rows are gone: that is no failure.
func (s *Service) take(ctx context.Context, a awake) {
	err := s.serve(ctx, a.Tenant, a.ID)
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnknownTenant) {
		s.Log.Error("calling a webhook", "tenant", a.Tenant, "webhook", a.ID, "error", err)
	}
}

// calling is which endpoints this process calls now. One tenant's may all be slow:
// those of others must not wait for them.
type calling struct {
	mu        sync.Mutex
	endpoints map[awake]bool
	tenants   map[tenancy.TenantID]int
}

func newCalling() *calling {
	return &calling{endpoints: map[awake]bool{}, tenants: map[tenancy.TenantID]int{}}
}

// begin reports whether an endpoint may be called; then end must be called.
func (c *calling) begin(a awake) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endpoints[a] || c.tenants[a.Tenant] == ofTenant {
		return false
	}
	c.endpoints[a] = true
	c.tenants[a.Tenant]++
	return true
}

func (c *calling) end(a awake) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.endpoints, a)
	if c.tenants[a.Tenant]--; c.tenants[a.Tenant] == 0 {
		delete(c.tenants, a.Tenant)
	}
}

func (s *Service) awake(ctx context.Context) (all []awake, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		// In another order each time: none comes always last.
		rows, err := tx.Query(ctx, `SELECT tenant, id FROM assim.webhooks_awake($1) ORDER BY random()`, s.now())
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[awake])
		}
		return err
	})
	return all, err
}

// serve sends what is due to one endpoint, until nothing is, the endpoint has to be
// left alone, or its turn is over.
func (s *Service) serve(ctx context.Context, tenant tenancy.TenantID, id tenancy.WebhookID) error {
	var h held
	begun := time.Now()
	for {
		if time.Since(begun) >= turn {
			return s.release(ctx, tenant, h)
		}
		var m message
		var ok, found, more bool
		err := s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
			now := s.now()
			var next held
			var err error
			if next, ok, err = hold(ctx, tx, id, h.until, now); err != nil || !ok {
				return err
			}
			if m, found, err = due(ctx, tx, id, now); err == nil && !found {
				more, err = s.fill(ctx, tx, tenant, next.Endpoint, now)
			}
			if err == nil {
				h = next
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case !ok && h.ID.IsZero(): // another process has it
			return nil
		case !ok, !found && !more: // it was changed or has to be left alone, or nothing is left
			return s.release(ctx, tenant, h)
		case !found:
			continue
		}
		secrets, err := s.unwrap(tenant, h)
		if err != nil {
			return err
		}
		t := s.call(ctx, h.URL, m, secrets)
		if ctx.Err() != nil {
			return ctx.Err() // it may have been taken: the same message comes again, under the same id
		}
		s.count(t)
		if h.Failures == 0 && !t.taken() {
			s.Log.Info("webhook failed", "tenant", tenant, "webhook", id, "error", t.Problem)
		}
		if turnedOff, err := s.settle(ctx, tenant, h, m, t); err != nil || turnedOff {
			return err
		}
	}
}

// Try is one call and what came of it; huma sees exported types only.
type Try struct {
	At      time.Time `json:"at"`
	Status  int       `json:"status" doc:"of HTTP; 0: there was no answer"`
	TookMS  int64     `json:"took_ms"`
	Problem string    `json:"problem,omitempty"`
	Answer  string    `json:"answer,omitempty" doc:"its first 1024 bytes"`

	wish time.Duration // of the endpoint, to be left alone for so long
}

func (t Try) taken() bool { return t.Status >= 200 && t.Status < 300 && t.Problem == "" }

// down reports whether the endpoint, not the message, is at fault.
func (t Try) down() bool {
	return t.Status == 0 || t.Status >= 500 || t.Status == http.StatusTooManyRequests
}

// call sends a message once.
func (s *Service) call(ctx context.Context, to string, m message, secrets [][]byte) (t Try) {
	t.At = s.now()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(m.Body))
	if err != nil {
		t.Problem = "the address cannot be called"
		return t
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Assimilation-Webhooks")
	request.Header.Set("webhook-id", m.ID)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(t.At.Unix(), 10))
	request.Header.Set("webhook-signature", sign(m.ID, t.At, m.Body, secrets...))
	answer, err := s.client.Do(request)
	if err != nil {
		t.TookMS, t.Problem = time.Since(t.At).Milliseconds(), problemText(err)
		return t
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	t.TookMS, t.Status, t.Answer = time.Since(t.At).Milliseconds(), answer.StatusCode, web.Text(string(body))
	switch {
	case err != nil && answer.StatusCode < 300:
		t.Status, t.Problem = 0, "the answer broke off"
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		t.Problem = fmt.Sprintf("answered %d: it leads elsewhere, and redirects are not followed", answer.StatusCode)
	case answer.StatusCode == gone:
		t.Problem = "answered 410: it wants to be called no more"
	case answer.StatusCode < 200 || answer.StatusCode >= 400:
		t.Problem = fmt.Sprintf("answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
		t.wish = wishOf(answer.Header, t.At)
	}
	return t
}

// wishOf reads Retry-After (RFC 9110, 10.2.3).
func wishOf(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	var wish time.Duration
	if seconds, err := strconv.Atoi(text); err == nil {
		wish = time.Duration(min(seconds, int(longestWish/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wish = at.Sub(now)
	}
	return max(0, min(wish, longestWish))
}

// problemText says an error without the address, which is shown beside it.
func problemText(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	text := []rune(web.Text(err.Error()))
	return string(text[:min(len(text), 500)])
}
