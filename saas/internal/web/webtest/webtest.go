// Package webtest gives tests of features a front whose actors need no
// password, and reads its answers.
package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Front is a web front with a directory of sessions.
type Front struct {
	*web.Web
	actors map[[32]byte]web.Actor
}

// New makes a front at http://localhost that hears no notices.
func New() *Front {
	f := &Front{actors: map[[32]byte]web.Actor{}}
	log := slog.New(slog.DiscardHandler)
	f.Web = web.New(web.Config{
		Auth: f, Hub: web.NewHub(nil, log), Log: log, Metrics: prometheus.NewRegistry(),
		URL: &url.URL{Scheme: "http", Host: "localhost"}, Version: "test",
		Ready: func(context.Context) error { return nil },
	})
	return f
}

// BySession implements web.Authenticator.
func (f *Front) BySession(_ context.Context, hash [32]byte) (web.Actor, error) {
	if a, ok := f.actors[hash]; ok {
		return a, nil
	}
	return web.Actor{}, web.ErrUnknownSession
}

// ByToken implements web.Authenticator: there are no tokens.
func (f *Front) ByToken(context.Context, tenancy.Token) (web.Actor, error) {
	return web.Actor{}, web.ErrUnknownToken
}

// Client speaks to the front as one actor; the zero cookie is nobody.
type Client struct {
	front  *Front
	cookie *http.Cookie
}

// As signs an actor in.
func (f *Front) As(a web.Actor) Client {
	value, hash := web.NewSession()
	if a.Email == "" {
		a.Email = string(a.Role) + "@example.org"
	}
	f.actors[hash] = a
	return Client{f, f.SessionCookie(value, 60)}
}

// Nobody is a client that is not signed in.
func (f *Front) Nobody() Client { return Client{front: f} }

// Do sends a request as a program to the API (under /v1/, a body is JSON), as a
// browser to pages (a body is a form).
func (c Client) Do(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if strings.HasPrefix(path, "/v1/") {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
	}
	if c.cookie != nil {
		r.AddCookie(c.cookie)
	}
	w := httptest.NewRecorder()
	h, err := c.front.Handler()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return w
	}
	h.ServeHTTP(w, r)
	return w
}

// Get fetches a JSON answer into out and returns the status.
func (c Client) Get(path string, out any) (int, error) {
	w := c.Do(http.MethodGet, path, "")
	if w.Code != http.StatusOK {
		return w.Code, nil
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		return w.Code, fmt.Errorf("answer of %s: %w", path, err)
	}
	return w.Code, nil
}
