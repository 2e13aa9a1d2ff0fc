package telemetry

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
)

// The exporters read endpoint, headers, certificates, compression and timeout from
// the environment themselves; which of them it is, they do not.

func byGRPC(signal string) (bool, error) {
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL")
	if protocol == "" {
		protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	switch protocol {
	case "grpc":
		return true, nil
	case "", "http/protobuf":
		return false, nil
	}
	return false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is grpc or http/protobuf, not %.40q", protocol)
}

func traceExporter(ctx context.Context) (trace.SpanExporter, error) {
	grpc, err := byGRPC("TRACES")
	if err != nil {
		return nil, err
	}
	if grpc {
		return otlptracegrpc.New(ctx)
	}
	return otlptracehttp.New(ctx)
}

func metricExporter(ctx context.Context) (metric.Exporter, error) {
	grpc, err := byGRPC("METRICS")
	if err != nil {
		return nil, err
	}
	if grpc {
		return otlpmetricgrpc.New(ctx)
	}
	return otlpmetrichttp.New(ctx)
}

func logExporter(ctx context.Context) (log.Exporter, error) {
	grpc, err := byGRPC("LOGS")
	if err != nil {
		return nil, err
	}
	if grpc {
		return otlploggrpc.New(ctx)
	}
	return otlploghttp.New(ctx)
}
