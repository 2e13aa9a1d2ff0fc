package notify

import "github.com/prometheus/client_golang/prometheus"

var (
	outcomes = prometheus.NewDesc("assim_relay_notifications_total",
		"Notifications at the site: told, failed attempts, lost (dropped or given up).", []string{"channel", "outcome"}, nil)
	waiting = prometheus.NewDesc("assim_relay_notifications_waiting", "Notifications that wait for a channel.", []string{"channel"}, nil)
)

// Describe is for a prometheus registry.
func (n *Notifier) Describe(out chan<- *prometheus.Desc) { out <- outcomes; out <- waiting }

// Collect is for a prometheus registry.
func (n *Notifier) Collect(out chan<- prometheus.Metric) {
	for _, c := range n.couriers {
		count := c.counts()
		for outcome, value := range map[string]uint64{"told": count.Told, "failed": count.Failed, "lost": count.Lost} {
			out <- prometheus.MustNewConstMetric(outcomes, prometheus.CounterValue, float64(value), c.name, outcome)
		}
		out <- prometheus.MustNewConstMetric(waiting, prometheus.GaugeValue, float64(count.Waiting), c.name)
	}
}
