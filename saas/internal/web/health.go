package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const readyTimeout = 3 * time.Second

// Metrics answers Prometheus, and whatever watches over the process. It names
// routes, refusals and their counts: not for the public address.
func (s *Web) Metrics() http.Handler {
	mux := http.NewServeMux()
	handleHealth(mux, s.config)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.config.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return mux
}

// handleHealth registers what probes of an orchestrator ask.
func handleHealth(mux *http.ServeMux, config Config) {
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := config.Ready(ctx); err != nil {
			config.Log.Warn("not ready", "error", err)
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	})
}
