// Package presence shows that the service tells a probe that fell silent from
// one that said goodbye.
package presence_test

import (
	"fmt"
	"testing"
	"time"

	"assimilation/e2e/world"
)

func TestSilentAndShutDownAreToldApart(t *testing.T) {
	w := world.New(t, world.Options{})
	_, address := w.Relay(world.Node{Name: "relay"})
	frozen := w.Probe(world.Node{Name: "frozen", Host: "frozen", Relay: address})
	leaving := w.Probe(world.Node{Name: "leaving", Host: "leaving", Relay: address})
	w.HostUp("frozen", time.Minute)
	w.HostUp("leaving", time.Minute)

	leaving.Stop()
	left := answered(t, w, "shutdown", "leaving", 20*time.Second)
	frozen.Freeze()
	// The relay misses an echo of 30 s, then asks three times itself.
	fell := answered(t, w, "silent", "frozen", 90*time.Second)
	if rows := w.Rows("query", "shutdown"); len(rows) != 1 {
		t.Errorf("shutdown answers %v", rows)
	}
	if rows := w.Rows("query", "silent"); len(rows) != 1 {
		t.Errorf("silent answers %v", rows)
	}
	frozen.Thaw()
	w.HostUp("frozen", time.Minute)
	leaving.Start()
	w.HostUp("leaving", time.Minute)
	t.Logf("shut down shown after %.1f s, silent after %.1f s", left.Seconds(), fell.Seconds())
}

// answered waits until a query lists a host.
func answered(t *testing.T, w *world.World, query, host string, within time.Duration) time.Duration {
	t.Helper()
	return world.Eventually(t, within, query+" lists "+host, func() (bool, string) {
		rows := w.Rows("query", query)
		for _, r := range rows {
			for _, v := range r {
				if v == host {
					return true, ""
				}
			}
		}
		return false, fmt.Sprint(rows)
	})
}
