package cluster

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collectTime bounds what a scrape asks of the store.
const collectTime = 5 * time.Second

var (
	degradedGauge = prometheus.NewDesc("assim_relay_cluster_degraded", "1 while there are other relays and records are on one disk only.", nil, nil)
	lagGauge      = prometheus.NewDesc("assim_relay_cluster_lag_records", "Records that the relay with the copy has not yet.", nil, nil)
	membersGauge  = prometheus.NewDesc("assim_relay_cluster_members", "Relays of the site, by what they are to this one.", []string{"state"}, nil)
	copiesGauge   = prometheus.NewDesc("assim_relay_cluster_copied_records", "Records of other relays that are held here.", nil, nil)
)

// Describe is for the registry.
func (c *Cluster) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{degradedGauge, lagGauge, membersGauge, copiesGauge} {
		out <- d
	}
}

// Collect is for the registry.
func (c *Cluster) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTime)
	defer cancel()
	r, err := c.Report(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(degradedGauge, err)
		return
	}
	set := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	degraded, held := 0.0, 0.0
	if r.Degraded {
		degraded = 1
	}
	members := map[State]float64{Self: 0, Alive: 0, Joining: 0, Dead: 0}
	for _, m := range r.Members {
		members[m.State]++
	}
	for _, copied := range r.Copies {
		held += float64(copied.Records)
	}
	set(degradedGauge, degraded)
	set(lagGauge, float64(r.Lag))
	set(copiesGauge, held)
	for state, n := range members {
		set(membersGauge, n, string(state))
	}
}
