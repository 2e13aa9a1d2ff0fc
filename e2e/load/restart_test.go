package load_test

import (
	"testing"
	"time"

	"assimilation/e2e/world"
)

// A relay that was killed has its probe back by calling it, long before the
// probe's next echo.
func TestARestartedRelayCallsItsProbe(t *testing.T) {
	w := world.New(t, world.Options{})
	relay, address := w.Relay(world.Node{Name: "relay"})
	probe := w.Probe(world.Node{Name: "probe", Host: "called", Relay: address})
	w.HostUp("called", time.Minute)
	relay.Kill()
	killed := time.Now()
	relay.Start()
	probe.Says("a relay has begun a new session", 20*time.Second)
	t.Logf("called %.1f s after the relay was killed", time.Since(killed).Seconds())
}
