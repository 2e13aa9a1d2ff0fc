package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Config is what the web front needs. Every field but Places, Repeats and Proxies
// is required.
type Config struct {
	Auth    Authenticator
	Places  Places  // where roles at single sites count; nil: nowhere
	Repeats Repeats // what was answered to requests that name themselves; nil: nothing is remembered
	Hub     *Hub    // live updates
	Log     *slog.Logger
	Metrics *prometheus.Registry
	URL     *url.URL // public address; https makes cookies secure
	Version string
	Traces  trace.TracerProvider // nil: there are no spans
	// Proxies are the networks whose word on a client's address is believed.
	Proxies []netip.Prefix
	// Ready reports why the service cannot serve now, or nil.
	Ready func(context.Context) error
}

// Web is the HTTP front of the service. Features register at API, Page and
// Public; then Handler serves.
type Web struct {
	// API is where features register their operations with huma.Register.
	API huma.API

	config  Config
	mux     *http.ServeMux
	metrics *metrics
	turns   *turns
	reading *turns // of live streams, while they read
	// watching is of live streams, which take no turns.
	watching watching
	endless  map[string]bool // routes of live streams
	faults   []error         // of registration
	routes   []Route         // but the API's

	describe func() ([]byte, error) // Description, once
}

// New makes the front with its own routes: /openapi.json, /docs, /v1/stream, /assets,
// /livez and /readyz.
func New(c Config) *Web {
	s := &Web{config: c, mux: http.NewServeMux(), metrics: newMetrics(c.Metrics), turns: newTurns(maxAtOnce, maxWaiting, patience), reading: newTurns(streamsAtOnce, MaxSubscriptions, streamPatience), watching: watching{count: map[string]int{}}, endless: map[string]bool{}}
	s.API = s.newAPI()
	handleHealth(s.mux, c)
	s.handleAssets()
	s.handleStream()
	s.handleDocs()
	return s
}

// Public serves a route to anyone, as relays' endpoints and downloads, which
// authenticate by themselves or need not. A body over maxBody bytes is cut off
// with an error of type *http.MaxBytesError.
func (s *Web) Public(pattern string, maxBody int64, h http.Handler) {
	s.routes = append(s.routes, Route{pattern, PublicRoute, ""})
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		h.ServeHTTP(w, r)
	})
}

// Handler returns the whole, or what was wrong with the registrations.
func (s *Web) Handler() (http.Handler, error) {
	if err := errors.Join(s.faults...); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(s.denyCrossOrigin))
	return s.fromProxy(s.observe(s.secureHeaders(crossOrigin.Handler(http.HandlerFunc(s.route))))), nil
}
