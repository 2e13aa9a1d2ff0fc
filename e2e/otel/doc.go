// Package otel shows that a tenant's own OpenTelemetry Collector, built of the
// upstream modules, has what happens at a site: see otel_test.go, and `make
// e2e-otel`.
package otel
