package web

import (
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	panics   prometheus.Counter
	streams  prometheus.Gauge
}

func newMetrics(registry *prometheus.Registry) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_http_requests_total", Help: "Requests answered, by route and status."}, []string{"route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "assim_http_request_seconds", Help: "Time to answer, by route; live streams apart.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 30}}, []string{"route"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_http_refused_total", Help: "Requests refused before their handler ran, by reason."}, []string{"reason"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "assim_http_panics_total", Help: "Handlers that panicked."}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "assim_http_streams", Help: "Live streams open now."}),
	}
	registry.MustRegister(m.requests, m.duration, m.refused, m.panics, m.streams)
	return m
}

// observe counts, times and logs every request, and survives a handler that
// panics.
func (s *Web) observe(next http.Handler) http.Handler {
	tracer := trace.Tracer(noop.Tracer{})
	if s.config.Traces != nil {
		tracer = s.config.Traces.Tracer("assimilation/saas")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		answer := &answerWriter{ResponseWriter: w}
		ctx := r.Context()
		if strings.HasPrefix(r.URL.Path, "/relay/") { // a stranger's browser is no part of our traces
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		ctx, span := tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
		r = r.WithContext(ctx)
		defer func() {
			if fault := recover(); fault != nil {
				if fault == http.ErrAbortHandler {
					panic(fault)
				}
				s.metrics.panics.Inc()
				s.config.Log.Error("handler panicked", "method", r.Method, "route", r.Pattern, "panic", fault, "stack", string(debug.Stack()))
				if answer.status == 0 {
					s.problem(answer, r, http.StatusInternalServerError, "the service failed; the cause is in its log")
				}
			}
			// The pattern, not the path: few values, and no identifier in a label.
			route := r.Pattern
			if route == "" {
				route = "none"
			}
			took := time.Since(start)
			span.SetName(route)
			span.SetAttributes(semconv.HTTPRequestMethodKey.String(r.Method), semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(answer.code()))
			if answer.code() >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, http.StatusText(answer.code()))
			}
			span.End()
			s.metrics.requests.WithLabelValues(route, strconv.Itoa(answer.code())).Inc()
			if !s.endless[route] {
				s.metrics.duration.WithLabelValues(route).Observe(took.Seconds())
			}
			s.config.Log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", answer.code(),
				"bytes", answer.bytes, "took", took, "from", r.RemoteAddr)
		}()
		next.ServeHTTP(answer, r)
	})
}

// answerWriter remembers what was answered.
type answerWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (a *answerWriter) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answerWriter) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answerWriter) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}
