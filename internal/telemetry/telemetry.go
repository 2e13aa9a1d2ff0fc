// Package telemetry sends a program's own traces, metrics and logs to where the
// OTEL_* variables of its environment say
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
// Without an endpoint there, it does nothing and costs nothing. The probe has none:
// it would be several times as large.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// flushTimeout bounds what is sent at the end.
const flushTimeout = 5 * time.Second

// Telemetry is that of one program. nil is one that is off.
type Telemetry struct {
	resource *resource.Resource
	metrics  metric.Exporter // nil: off, or measured already
	traces   *sdktrace.TracerProvider
	logs     *log.LoggerProvider
	every    time.Duration
	meter    *metric.MeterProvider
}

// Start reads the environment, and then removes the OTEL_* variables from it: the
// exporters of tenants, which are of the same library, must not find the
// operator's headers and attributes there. What goes wrong later is told to faults.
func Start(ctx context.Context, program, version string, faults *slog.Logger) (t *Telemetry, err error) {
	defer forget()
	t = &Telemetry{}
	on := map[string]bool{}
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		if on[signal], err = wanted(signal); err != nil {
			return nil, err
		}
	}
	if !on["TRACES"] && !on["METRICS"] && !on["LOGS"] {
		return nil, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { faults.Warn("own telemetry", "error", err) }))
	t.resource, err = resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(),
		resource.WithAttributes(semconv.ServiceName(program), semconv.ServiceVersion(version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describing the program by OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	if on["TRACES"] {
		exporter, err := traceExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("sending traces: %w", err)
		}
		t.traces = sdktrace.NewTracerProvider(sdktrace.WithResource(t.resource), sdktrace.WithBatcher(exporter))
	}
	if on["METRICS"] {
		if t.metrics, err = metricExporter(ctx); err != nil {
			return nil, fmt.Errorf("sending metrics: %w", err)
		}
		t.every = time.Minute
		if text := os.Getenv("OTEL_METRIC_EXPORT_INTERVAL"); text != "" {
			ms, err := strconv.ParseUint(text, 10, 31)
			if err != nil || ms == 0 {
				return nil, fmt.Errorf("OTEL_METRIC_EXPORT_INTERVAL is a number of milliseconds, not %.40q", text)
			}
			t.every = time.Duration(ms) * time.Millisecond
		}
	}
	if on["LOGS"] {
		exporter, err := logExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("sending logs: %w", err)
		}
		t.logs = log.NewLoggerProvider(log.WithResource(t.resource), log.WithProcessor(log.NewBatchProcessor(exporter)))
	}
	return t, nil
}

// wanted reports whether a signal is to be sent.
func wanted(signal string) (bool, error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	switch exporter := os.Getenv("OTEL_" + signal + "_EXPORTER"); exporter {
	case "otlp":
		return true, nil
	case "none":
		return false, nil
	case "":
		return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != "", nil
	default:
		return false, fmt.Errorf("OTEL_%s_EXPORTER is otlp or none, not %.40q", signal, exporter)
	}
}

func forget() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "OTEL_") {
			os.Unsetenv(name)
		}
	}
}

// Traces makes spans; without telemetry they are nothing.
func (t *Telemetry) Traces() trace.TracerProvider {
	if t == nil || t.traces == nil {
		return noop.NewTracerProvider()
	}
	return t.traces
}

// Logger writes to here and, where logs are sent, there as well.
func (t *Telemetry) Logger(here slog.Handler) *slog.Logger {
	if t == nil || t.logs == nil {
		return slog.New(here)
	}
	return slog.New(slog.NewMultiHandler(here, leveled{otelslog.NewHandler("assimilation", otelslog.WithLoggerProvider(t.logs)), here}))
}

// leveled sends what is logged here, and no more.
type leveled struct {
	slog.Handler
	here slog.Handler
}

func (l leveled) Enabled(ctx context.Context, level slog.Level) bool {
	return l.here.Enabled(ctx, level)
}

func (l leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{l.Handler.WithAttrs(attrs), l.here}
}

func (l leveled) WithGroup(name string) slog.Handler {
	return leveled{l.Handler.WithGroup(name), l.here}
}

// Measure sends what a registry holds, every minute or as
// OTEL_METRIC_EXPORT_INTERVAL has it, until Close. It is called once.
func (t *Telemetry) Measure(source prometheus.Gatherer) {
	if t == nil || t.metrics == nil {
		return
	}
	t.meter = metric.NewMeterProvider(metric.WithResource(t.resource),
		metric.WithReader(metric.NewPeriodicReader(t.metrics, metric.WithProducer(bridge.NewMetricProducer(bridge.WithGatherer(source))), metric.WithInterval(t.every))))
	t.metrics = nil
}

// Close sends what waits, for a short while.
func (t *Telemetry) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	var errs []error
	if t.traces != nil {
		errs = append(errs, t.traces.Shutdown(ctx))
	}
	if t.meter != nil {
		errs = append(errs, t.meter.Shutdown(ctx))
	}
	if t.metrics != nil {
		errs = append(errs, t.metrics.Shutdown(ctx))
	}
	if t.logs != nil {
		errs = append(errs, t.logs.Shutdown(ctx))
	}
	return errors.Join(errs...)
}
