package otelexport

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"assimilation/tenancy"
)

const (
	// sampleEvery is how far apart the states of hosts and services are taken.
	sampleEvery = time.Minute
	// maxUnits bounds the services whose state is sent; of more, those of the hosts
	// that come first by name.
	maxUnits = 20_000
)

// Unit is a service of a host and its state: running, stopped.
type Unit struct{ Host, Name, State string }

// sampled is a host as metrics tell of it.
type sampled struct {
	host
	Site     string
	State    string
	Findings int64
}

// sample takes the states of a tenant's hosts and services, and their counts: one
// resource for each host, and one of the tenant.
func (s *Service) sample(ctx context.Context, tenant tenancy.TenantID, at time.Time) ([]*metricdata.ResourceMetrics, error) {
	var hosts []sampled
	var open int64
	err := s.DB.Read(ctx, tenant, func(tx pgx.Tx) (err error) {
		if hosts, err = readHosts(ctx, tx); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT count(*) FROM assim.verdicts WHERE over_at IS NULL`).Scan(&open)
	})
	if err != nil {
		return nil, err
	}
	units, err := s.Units(ctx, tenant, maxUnits)
	if err != nil {
		return nil, err
	}
	of := map[string][]Unit{}
	for _, u := range units {
		of[u.Host] = append(of[u.Host], u)
	}
	states, services := map[string]int64{}, map[string]int64{}
	var all []*metricdata.ResourceMetrics
	for _, h := range hosts {
		states[h.State]++
		points := []metricdata.DataPoint[int64]{}
		for _, u := range of[h.ID.String()] {
			services[u.State]++
			points = append(points, point(at, truth(u.State == "running"), attribute.String("assimilation.service.name", u.Name), attribute.String("assimilation.service.state", u.State)))
		}
		all = append(all, &metricdata.ResourceMetrics{Resource: resourceOf(h.host, tenant, h.Site), ScopeMetrics: scoped(
			gauge("assimilation.host.up", "1", "whether the host is up", point(at, truth(h.State == "up"), attribute.String("assimilation.host.state", h.State))),
			gauge("assimilation.host.findings", "{finding}", "open findings", point(at, h.Findings)),
			gauge("assimilation.service.up", "1", "whether a service that should run does", points...),
		)})
	}
	return append(all, &metricdata.ResourceMetrics{Resource: resourceOf(host{}, tenant, ""), ScopeMetrics: scoped(
		gauge("assimilation.hosts", "{host}", "hosts by state", counted(at, states, "assimilation.host.state")...),
		gauge("assimilation.services", "{service}", "services by state", counted(at, services, "assimilation.service.state")...),
		gauge("assimilation.verdicts.open", "{verdict}", "verdicts that are not over", point(at, open)),
	)}), nil
}

func readHosts(ctx context.Context, tx pgx.Tx) ([]sampled, error) {
	rows, err := tx.Query(ctx, `
		SELECT h.id, h.name, h.os, h.arch, h.agent_version, s.name, CASE WHEN d.id IS NULL THEN h.state ELSE 'unknown' END,
			(SELECT count(*) FROM assim.findings f WHERE f.tenant = h.tenant AND f.host = h.id AND f.closed_at IS NULL)
		FROM assim.hosts h JOIN assim.sites s ON s.tenant = h.tenant AND s.id = h.site
		LEFT JOIN assim.verdicts d ON d.tenant = h.tenant AND d.site = h.site AND d.relay IS NULL AND d.over_at IS NULL
		WHERE h.retired_at IS NULL ORDER BY h.name_lower, h.id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (h sampled, err error) {
		h.ID = new(tenancy.HostID)
		err = row.Scan(h.ID, &h.Name, &h.OS, &h.Arch, &h.Version, &h.Site, &h.State, &h.Findings)
		return h, err
	})
}

func scoped(metrics ...metricdata.Metrics) []metricdata.ScopeMetrics {
	kept := metrics[:0]
	for _, m := range metrics {
		if len(m.Data.(metricdata.Gauge[int64]).DataPoints) > 0 {
			kept = append(kept, m)
		}
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scope, SchemaURL: semconv.SchemaURL}, Metrics: kept}}
}

func gauge(name, unit, about string, points ...metricdata.DataPoint[int64]) metricdata.Metrics {
	return metricdata.Metrics{Name: name, Unit: unit, Description: about, Data: metricdata.Gauge[int64]{DataPoints: points}}
}

func point(at time.Time, value int64, attributes ...attribute.KeyValue) metricdata.DataPoint[int64] {
	return metricdata.DataPoint[int64]{Time: at, Value: value, Attributes: attribute.NewSet(attributes...)}
}

func counted(at time.Time, counts map[string]int64, key string) (points []metricdata.DataPoint[int64]) {
	for state, n := range counts {
		points = append(points, point(at, n, attribute.String(key, state)))
	}
	return points
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
