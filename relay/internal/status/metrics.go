package status

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the counters that the relay's parts count in.
type Metrics struct {
	Registry *prometheus.Registry
	Dropped  *prometheus.CounterVec // datagrams, by "reason"
	Messages *prometheus.CounterVec // by "type" and "result"
	Refused  *prometheus.CounterVec // enrolments, by "reason"

	commits prometheus.Histogram
	writes  prometheus.Counter
}

// NewMetrics makes the metrics of one relay, in a registry of their own.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		Dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_relay_datagrams_dropped_total", Help: "Datagrams that were dropped, by reason."}, []string{"reason"}),
		Messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_relay_messages_total", Help: "Messages of probes, by type and by what became of them."}, []string{"type", "result"}),
		Refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_relay_enrolments_refused_total", Help: "Enrolments of probes that were refused, by reason."}, []string{"reason"}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "assim_relay_store_commit_seconds", Help: "Time of a group commit of the store.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
		writes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "assim_relay_store_writes_total", Help: "Writes that the store has committed or refused."}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assim_relay_build_info", Help: "1, with the program's version.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.Registry.MustRegister(m.Dropped, m.Messages, m.Refused, m.commits, m.writes, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Committed is for store.Options.
func (m *Metrics) Committed(took time.Duration, writes int) {
	m.commits.Observe(took.Seconds())
	m.writes.Add(float64(writes))
}

// gauges turns a report into gauges when it is asked for.
type gauges struct {
	source Source
	hosts, backlog, bytes, acked, last, sessions, facts,
	ready, orders, batches *prometheus.Desc
}

func newGauges(source Source) *gauges {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("assim_relay_"+name, help, labels, nil)
	}
	return &gauges{
		source:   source,
		hosts:    gauge("hosts", "Enrolled hosts, by state.", "state"),
		backlog:  gauge("outbox_records", "Records that the service has not acknowledged."),
		bytes:    gauge("outbox_bytes", "Size of those records."),
		acked:    gauge("outbox_acked_position", "Position up to which the service has acknowledged."),
		last:     gauge("outbox_last_position", "Position of the newest record."),
		sessions: gauge("sessions", "Sessions of probes."),
		facts:    gauge("facts", "Current facts of all hosts."),
		ready:    gauge("ready", "1 while the relay serves probes."),
		orders:   gauge("orders_last_success_timestamp_seconds", "When the service last answered a request for orders."),
		batches:  gauge("batches_last_success_timestamp_seconds", "When the service last acknowledged a batch."),
	}
}

// Describe is for the registry.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.hosts, g.backlog, g.bytes, g.acked, g.last, g.sessions, g.facts, g.ready, g.orders, g.batches} {
		out <- d
	}
}

// Collect is for the registry.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	r, err := g.source.Report()
	if err != nil {
		out <- prometheus.NewInvalidMetric(g.hosts, err)
		return
	}
	set := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for state, hosts := range r.Hosts {
		set(g.hosts, float64(hosts), string(state))
	}
	set(g.backlog, float64(r.Outbox.Backlog))
	set(g.bytes, float64(r.Outbox.Bytes))
	set(g.acked, float64(r.Outbox.Acked))
	set(g.last, float64(r.Outbox.Last))
	set(g.sessions, float64(r.Sessions))
	set(g.facts, float64(r.Facts))
	ready := 0.0
	if r.Phase == Serving {
		ready = 1
	}
	set(g.ready, ready)
	set(g.orders, seconds(r.Orders.LastOK))
	set(g.batches, seconds(r.Batches.LastOK))
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
