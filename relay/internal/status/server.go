package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"assimilation/relay/internal/cluster"
	"assimilation/relay/internal/handout"
	"assimilation/uplink"
)

// Source is the relay.
type Source interface {
	Report() (Report, error)
	Probes() ([]Probe, error)
	Pending() ([]Pending, error)
	Topology() (uplink.Topology, error)
	Preview(Choice) (Preview, error)
	Verdicts() ([]Verdict, error)
	Rings() (Rings, error)
	Cluster() (cluster.Report, error)
	Downloads() (handout.Report, error)
	Take(io.Reader) (handout.File, error)
}

// Handler answers for source.
func Handler(source Source, m *Metrics, log *slog.Logger) http.Handler {
	m.Registry.MustRegister(newGauges(source))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, source) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		report, err := source.Report()
		answer(w, report, err, log)
	})
	mux.HandleFunc("GET /probes", func(w http.ResponseWriter, _ *http.Request) {
		probes, err := source.Probes()
		if probes == nil {
			probes = []Probe{}
		}
		answer(w, probes, err, log)
	})
	mux.HandleFunc("GET /pending", func(w http.ResponseWriter, _ *http.Request) {
		pending, err := source.Pending()
		if pending == nil {
			pending = []Pending{}
		}
		answer(w, pending, err, log)
	})
	mux.HandleFunc("GET /topology", func(w http.ResponseWriter, _ *http.Request) {
		topology, err := source.Topology()
		answer(w, topology, err, log)
	})
	mux.HandleFunc("GET /preview", func(w http.ResponseWriter, r *http.Request) {
		shown, err := preview(source, r)
		answer(w, shown, err, log)
	})
	mux.HandleFunc("GET /verdicts", func(w http.ResponseWriter, _ *http.Request) {
		verdicts, err := source.Verdicts()
		answer(w, verdicts, err, log)
	})
	mux.HandleFunc("GET /rings", func(w http.ResponseWriter, _ *http.Request) {
		rings, err := source.Rings()
		answer(w, rings, err, log)
	})
	mux.HandleFunc("GET /cluster", func(w http.ResponseWriter, _ *http.Request) {
		report, err := source.Cluster()
		answer(w, report, err, log)
	})
	mux.HandleFunc("GET /downloads", func(w http.ResponseWriter, _ *http.Request) {
		report, err := source.Downloads()
		answer(w, report, err, log)
	})
	mux.HandleFunc("POST /downloads", func(w http.ResponseWriter, r *http.Request) {
		file, err := source.Take(http.MaxBytesReader(w, r.Body, uplink.MaxProgram+1))
		if errors.Is(err, handout.ErrUnwanted) || errors.Is(err, handout.ErrTooLarge) || errors.Is(err, handout.ErrOff) || errors.Is(err, handout.ErrTaking) {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		answer(w, file, err, log)
	})
	return localOnly(mux)
}

// localOnly refuses requests under a host name: a page in somebody's browser
// could have a name of its own point at loopback.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
			http.Error(w, "ask by address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func ready(w http.ResponseWriter, source Source) {
	report, err := source.Report()
	switch {
	case err != nil:
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
	case report.Phase != Serving:
		http.Error(w, string(report.Phase)+": "+report.Problem, http.StatusServiceUnavailable)
	default:
		io.WriteString(w, "ok\n")
	}
}

func answer(w http.ResponseWriter, v any, err error, log *slog.Logger) {
	if err != nil {
		log.Error("answering a local request", "error", err)
		http.Error(w, "the store does not answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v) // the asker has gone
}

// Serve answers on listener until ctx ends.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Minute, WriteTimeout: 5 * time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // its error is Serve's
	defer stop()
	if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving status: %w", err)
	}
	return nil
}

// maxAnswer bounds what a client reads: a site of 100,000 probes has 40 MB.
const maxAnswer = 256 << 20

// Ask fetches path from the relay that serves on address into v.
func Ask(ctx context.Context, address, path string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return exchange(ctx, http.MethodGet, address, path, nil, v)
}

// maxRefusal bounds the words of a refusal, in bytes.
const maxRefusal = 500

// Give posts a file to the relay that serves on address, and reads its answer into v.
func Give(ctx context.Context, address, path string, file io.Reader, v any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return exchange(ctx, http.MethodPost, address, path, file, v)
}

func exchange(ctx context.Context, method, address, path string, body io.Reader, v any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, body)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is loopback
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusUnprocessableEntity {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal)) // what came is all there is to say
		return errors.New(strings.TrimSpace(string(text)))
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the relay on %s answered %s", address, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(v); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	return nil
}
