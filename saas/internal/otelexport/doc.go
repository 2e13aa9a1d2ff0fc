// Package otelexport sends a tenant's events, changes and metrics to collectors
// of its own by OTLP.
//
//	events (numbered), history (times that rise) -> place of the exporter -> batch -> collector
//	                                                      ^                              |
//	                                                      +---------- settled -----------+
//
// What waits stands in the tables that it comes from, so a collector that is down
// costs no room, and nothing is lost while it is down for up to Limit. A batch is
// sent at least once: the place moves after the collector took it. What a
// collector refuses for good, and what waited too long, is noted as undelivered.
//
// Events and changes are log records, each with its host as resource. Metrics are
// of the moment at which they are taken, so none wait.
//
// Any number of processes may send: a lease in the exporter's row lets one at a
// time.
package otelexport
