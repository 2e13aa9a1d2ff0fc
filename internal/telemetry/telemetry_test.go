package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// sink takes OTLP by HTTP and keeps it as text.
type sink struct {
	mu   sync.Mutex
	took map[string]string // by path
	keys map[string]string // header x-key
}

func newSink(t *testing.T) (*sink, string) {
	s := &sink{took: map[string]string{}, keys: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		in := map[string]proto.Message{"/v1/traces": &coltrace.ExportTraceServiceRequest{}, "/v1/metrics": &colmetrics.ExportMetricsServiceRequest{}, "/v1/logs": &collogs.ExportLogsServiceRequest{}}[r.URL.Path]
		if err := proto.Unmarshal(body, in); err != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.took[r.URL.Path] += in.(interface{ String() string }).String()
		s.keys[r.URL.Path] = r.Header.Get("x-key")
	}))
	t.Cleanup(server.Close)
	return s, server.URL
}

func TestSignalsGoWhereTheEnvironmentSays(t *testing.T) {
	s, url := newSink(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=operator")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	var here strings.Builder
	on, err := Start(t.Context(), "assim-test", "1.2", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "assim_test_total", Help: "x"})
	registry.MustRegister(counter)
	counter.Add(42)
	on.Measure(registry)
	log := on.Logger(slog.NewTextHandler(&here, nil))
	log.Info("it happened", "site", "paris")
	log.Debug("not wanted")
	_, span := on.Traces().Tracer("test").Start(t.Context(), "a deed")
	span.End()
	if err := on.Close(); err != nil {
		t.Fatal(err)
	}
	for path, texts := range map[string][]string{
		"/v1/traces": {"a deed", "assim-test", "deployment.environment.name"}, "/v1/metrics": {"assim_test_total", "42", "assim-test"}, "/v1/logs": {"it happened", "paris", "assim-test"},
	} {
		for _, text := range texts {
			if !strings.Contains(s.took[path], text) {
				t.Errorf("%s has no %q: %.2000s", path, text, s.took[path])
			}
		}
		if s.keys[path] != "operator" {
			t.Errorf("%s came with the key %q", path, s.keys[path])
		}
	}
	if strings.Contains(s.took["/v1/logs"], "not wanted") || !strings.Contains(here.String(), "it happened") {
		t.Errorf("here %q, there %q", here.String(), s.took["/v1/logs"])
	}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "OTEL_") {
			t.Errorf("left in the environment: %s", variable)
		}
	}
}

func TestWithoutAnEndpointNothingRuns(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"no endpoint": {},
		"disabled":    {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
		"none": {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range env {
				t.Setenv(k, v)
			}
			off, err := Start(t.Context(), "assim-test", "1", slog.New(slog.DiscardHandler))
			if off != nil || err != nil {
				t.Fatalf("%v, %v", off, err)
			}
			off.Measure(prometheus.NewRegistry())
			off.Logger(slog.DiscardHandler).Info("x")
			if _, span := off.Traces().Tracer("x").Start(t.Context(), "x"); span.IsRecording() {
				t.Error("a span records")
			}
			if err := off.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for variable, value := range map[string]string{"OTEL_TRACES_EXPORTER": "jaeger", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_METRIC_EXPORT_INTERVAL": "soon"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			t.Setenv(variable, value)
			if _, err := Start(t.Context(), "assim-test", "1", slog.New(slog.DiscardHandler)); err == nil {
				t.Error("accepted")
			}
		})
	}
}
