package watch

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/relay/internal/sessions"
)

// Metrics are what a Watch counts.
type Metrics struct {
	verdicts  *prometheus.CounterVec
	detection *prometheus.HistogramVec
	beats     *prometheus.CounterVec
	orders    *prometheus.CounterVec
	refuted   prometheus.Counter
}

// NewMetrics makes them, in a registry.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_relay_verdicts_total", Help: "Verdicts that were reached, by kind."}, []string{"kind"}),
		detection: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "assim_relay_detection_seconds", Help: "Time from the last sign of life to the verdict, by kind.",
			Buckets: []float64{1, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 8, 10, 15, 30, 60, 120}}, []string{"kind"}),
		beats: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_relay_heartbeats_dropped_total", Help: "Heartbeats that changed nothing, by reason."}, []string{"reason"}),
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_relay_ring_orders_total", Help: "Orders to exchange heartbeats, by what became of them."}, []string{"result"}),
		refuted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "assim_relay_false_accusations_total", Help: "Reports of silent neighbours that turned out to be wrong."}),
	}
	registry.MustRegister(m.verdicts, m.detection, m.beats, m.orders, m.refuted)
	return m
}

// concluded counts a verdict when it is reached.
func (m *Metrics) concluded(c Conclusion) {
	if !c.Opened {
		return
	}
	v := c.Verdict
	kind := string(v.Kind)
	m.verdicts.WithLabelValues(kind).Inc()
	if _, ok := v.Kind.HostState(); ok && v.Since > 0 {
		m.detection.WithLabelValues(kind).Observe((time.Duration(v.At-v.Since) * time.Millisecond).Seconds())
	}
}

func (m *Metrics) dropBeat(reason string) { m.beats.WithLabelValues(reason).Inc() }

func (m *Metrics) beatsDropped(reason string, n uint64) {
	m.beats.WithLabelValues(reason).Add(float64(n))
}

func (m *Metrics) ordered(err error) {
	result := "adopted"
	declined, refused := errors.AsType[*sessions.Declined](err)
	switch {
	case err == nil:
	case refused:
		result = declined.Reason.String()
	case errors.Is(err, sessions.ErrUnheard):
		result = "unheard"
	case errors.Is(err, sessions.ErrNoSession):
		result = "no session"
	default:
		result = "not queued"
	}
	m.orders.WithLabelValues(result).Inc()
}
