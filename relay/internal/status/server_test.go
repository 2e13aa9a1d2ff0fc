package status

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"assimilation/relay/internal/cluster"
	"assimilation/relay/internal/handout"
	"assimilation/uplink"
)

type source struct {
	report Report
	err    error
}

func (s *source) Report() (Report, error)  { return s.report, s.err }
func (s *source) Probes() ([]Probe, error) { return nil, s.err }
func (s *source) Topology() (uplink.Topology, error) {
	return uplink.Topology{Relay: "relay-1"}, s.err
}
func (s *source) Preview(c Choice) (Preview, error) {
	return Preview{Records: []Leaving{{Kind: c.Kind, Body: `{"a":"<&>"}`}}, Held: []Held{{Hosts: c.Limit}}}, s.err
}
func (s *source) Pending() ([]Pending, error) {
	return []Pending{{Fingerprint: "abc", Reason: "expired"}}, s.err
}

func (s *source) Verdicts() ([]Verdict, error) {
	return []Verdict{{Kind: uplink.HostDown, Confidence: 90}}, s.err
}

func (s *source) Cluster() (cluster.Report, error) { return cluster.Report{}, s.err }

func (s *source) Downloads() (handout.Report, error) {
	return handout.Report{Address: "10.0.0.5:1987"}, s.err
}

func (s *source) Take(file io.Reader) (handout.File, error) {
	content, err := io.ReadAll(file)
	if err != nil || string(content) != "wanted" {
		return handout.File{}, handout.ErrUnwanted
	}
	return handout.File{Name: "assim-probe-linux-amd64"}, s.err
}

func (s *source) Rings() (Rings, error) {
	return Rings{Beat: 1000, Edges: []Edge{{Level: "switch"}}}, s.err
}

func TestAnswers(t *testing.T) {
	s := &source{report: Report{Phase: Serving, Hosts: map[uplink.State]int{uplink.Up: 3}, Outbox: Outbox{Backlog: 7}}}
	m := NewMetrics("1.2.3")
	m.Dropped.WithLabelValues("replayed").Inc()
	handler := Handler(s, m, slog.New(slog.DiscardHandler))
	get := func(path, host string) (int, string) {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		request.Host = host
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder.Code, recorder.Body.String()
	}
	check := func(path, host string, code int, part string) {
		t.Helper()
		if got, body := get(path, host); got != code || !strings.Contains(body, part) {
			t.Errorf("%s of %s: %d %q, want %d and %q", path, host, got, body, code, part)
		}
	}
	const local = "127.0.0.1:1985"
	check("/livez", local, 200, "ok")
	check("/readyz", "localhost:1985", 200, "ok")
	check("/readyz", "[::1]:1985", 200, "ok")
	check("/status", local, 200, `"backlog": 7`)
	check("/probes", local, 200, "[]")
	check("/pending", local, 200, `"reason": "expired"`)
	check("/topology", local, 200, `"relay": "relay-1"`)
	check(Choice{Kind: "os", Limit: 7}.Path(), local, 200, `"hosts": 7`)
	check("/preview?kind=os&limit=999999999", local, 200, `"hosts": 100000`)
	check("/preview?limit=-1", local, 200, `"hosts": 1000`)
	check("/downloads", local, 200, "10.0.0.5:1987")
	check("/verdicts", local, 200, `"kind": "host down"`)
	check("/rings", local, 200, `"level": "switch"`)
	check("/metrics", local, 200, `assim_relay_datagrams_dropped_total{reason="replayed"} 1`)
	check("/metrics", local, 200, `assim_relay_hosts{state="up"} 3`)
	check("/metrics", local, 200, `assim_relay_outbox_records 7`)
	check("/metrics", local, 200, `assim_relay_build_info{version="1.2.3"} 1`)
	check("/status", "evil.example:1985", 403, "address")
	check("/nothing", local, 404, "")

	s.report = Report{Phase: Revoked, Problem: "this relay was revoked"}
	check("/readyz", local, 503, "revoked")
	check("/livez", local, 200, "ok")
	s.err = errors.New("disk I/O error at /secret/path")
	check("/readyz", local, 503, "store")
	check("/status", local, 500, "store")
	if _, body := get("/status", local); strings.Contains(body, "secret") {
		t.Error("the answer tells the inner error")
	}
}
