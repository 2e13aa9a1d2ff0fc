package handout

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"assimilation/ops/install"
	"assimilation/relay/internal/limit"
	"assimilation/uplink"
)

// Limits: hosts are installed by hundreds at once, but by strangers not at all.
const (
	maxConnections = 256
	maxPerSource   = 16
	perRequest     = 50 * time.Millisecond // of one address, beyond burst
	burst          = 200
	maxSources     = 10_000
	headTime       = 10 * time.Second
	sendTime       = 10 * time.Minute // of 7 MB, over the slowest line of a site
)

func (h *Handout) serve(ctx context.Context, listener net.Listener) error {
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{h.certificate}}
	server := &http.Server{
		Handler: h.handler(), ReadHeaderTimeout: headTime, ReadTimeout: headTime, WriteTimeout: sendTime, IdleTimeout: headTime,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(h.config.Log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // its error is Serve's
	defer stop()
	err := server.Serve(tls.NewListener(netutil.LimitListener(h.perSource(listener), maxConnections), config))
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving what hosts install: %w", err)
	}
	return nil
}

func (h *Handout) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /install.sh", h.serveScript)
	mux.HandleFunc("GET /download/SHA256SUMS", h.serveSums)
	mux.HandleFunc("GET /download/{name}", h.serveFile)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { h.refuse(w, "unknown", http.StatusNotFound) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !h.sources.Allow(limit.Source(from.Addr()).String(), time.Now()) {
			w.Header().Set("Retry-After", "1")
			h.refuse(w, "too many", http.StatusTooManyRequests)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (h *Handout) refuse(w http.ResponseWriter, reason string, status int) {
	h.requests.WithLabelValues(reason).Inc()
	http.Error(w, reason, status)
}

func (h *Handout) current() []uplink.Program {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.offered
}

func sums(list []uplink.Program) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, "%x  %s\n", p.Hash, p.Name)
	}
	return b.String()
}

// serveScript names the files by the address that the host asked at: a relay has
// several at times.
func (h *Handout) serveScript(w http.ResponseWriter, r *http.Request) {
	list := h.current()
	switch {
	case !plainHost(r.Host):
		h.refuse(w, "bad host", http.StatusBadRequest)
		return
	case len(list) == 0:
		w.Header().Set("Retry-After", "10")
		h.refuse(w, "nothing here yet", http.StatusServiceUnavailable)
		return
	}
	h.requests.WithLabelValues("script").Inc()
	w.Header().Set("Content-Type", "text/x-shellscript; charset=utf-8")
	_, _ = io.WriteString(w, install.Script(install.Source{Base: "https://" + r.Host, Sums: sums(list), Pinned: true})) // the asker has gone
}

// plainHost keeps what a stranger wrote from being more than host:port.
func plainHost(host string) bool {
	const allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:[]"
	return host != "" && len(host) <= 255 && strings.IndexFunc(host, func(c rune) bool { return !strings.ContainsRune(allowed, c) }) < 0
}

func (h *Handout) serveSums(w http.ResponseWriter, _ *http.Request) {
	h.requests.WithLabelValues("sums").Inc()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, sums(h.current())) // the asker has gone
}

func (h *Handout) serveFile(w http.ResponseWriter, r *http.Request) {
	list := h.current()
	at := slices.IndexFunc(list, func(p uplink.Program) bool { return p.Name == r.PathValue("name") })
	if at < 0 {
		h.refuse(w, "unknown", http.StatusNotFound)
		return
	}
	p := list[at]
	content, err := h.folder.Open(fileName(p))
	if err != nil {
		h.config.Log.Error("handing out a file", "file", p.Name, "error", err)
		h.refuse(w, "gone", http.StatusServiceUnavailable)
		return
	}
	defer content.Close()
	h.requests.WithLabelValues("file").Inc()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+hex.EncodeToString(p.Hash)+`"`)
	http.ServeContent(w, r, "", time.Time{}, content)
}
