package otel

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"assimilation/e2e/world"
)

// What relay and service tell of themselves: a batch is one trace from the relay's
// sending to the service's transactions; metrics and logs come along.
func TestABatchIsOneTrace(t *testing.T) {
	if *program == "" {
		t.Skip("make e2e-otel builds the collector that this needs")
	}
	c := startCollector(t, "grpc")
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + c.address, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_BSP_SCHEDULE_DELAY=200", "OTEL_METRIC_EXPORT_INTERVAL=1000"}
	w := world.New(t, world.Options{Env: env})
	_, relay := w.Relay(world.Node{Name: "relay", Env: env})
	w.Probe(world.Node{Name: "web", Host: "web", Relay: relay})
	w.HostUp("web", within)
	world.Eventually(t, within, "one trace", func() (bool, string) {
		traces := map[string][]string{}
		for _, span := range regexp.MustCompile(`Trace ID +: ([0-9a-f]{32})\n(?:.*\n){2,3}? +Name +: (.*)\n`).FindAllStringSubmatch(c.Log(), -1) {
			traces[span[1]] = append(traces[span[1]], span[2])
		}
		for id, names := range traces {
			if slices.Contains(names, "send a batch") && slices.Contains(names, "POST /relay/v1/batch") && slices.Contains(names, "take in a batch") && slices.Contains(names, "BEGIN") {
				t.Logf("trace %s: %q", id, names)
				return true, ""
			}
		}
		return false, fmt.Sprint(len(traces), " traces")
	})
	for _, text := range []string{"assim_relay_messages_total", "assim_http_requests_total", "service.name: Str(assim-relay)", "service.name: Str(assim-saas)", "Body: Str(relay serves)", "Body: Str(serving)"} {
		c.Says(text, within)
	}
}
