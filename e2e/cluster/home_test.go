package cluster_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
	"assimilation/tenancy"
)

// A second relay joins: probes are sent to it, each once, and nothing flaps.
func TestProbesAreSharedOut(t *testing.T) {
	w := world.New(t, world.Options{})
	_, token := w.Token("relay")
	a := start(t, w, "relay-a", token)
	_, text := w.Token("probe")
	probeToken, err := tenancy.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*probe, *probes)
	for i := range all {
		all[i] = newProbe(t, fmt.Sprintf("sim-%02d", i), probeToken, a.address)
		go all[i].run()
	}
	world.Eventually(t, time.Minute, "all probes served", func() (bool, string) {
		on := len(onRelay(all, a.id))
		return on == len(all), fmt.Sprint(on)
	})
	b := start(t, w, "relay-b", token)
	paired(t, a, b)
	shown := world.Run(t, nil, filepath.Join(w.Bin, "assim-relay"), "cluster", "--http", a.http)
	if !strings.Contains(shown, "Records are on two disks") || !strings.Contains(shown, "alive") {
		t.Errorf("assim-relay cluster:\n%s", shown)
	}
	t.Logf("assim-relay cluster:\n%s", shown)
	joined := time.Now()
	world.Eventually(t, time.Minute, "probes on the second relay", func() (bool, string) {
		on := len(onRelay(all, b.id)) // half of them, as hashes fall
		return on > 0, fmt.Sprint(on)
	})
	<-time.After(5 * time.Second) // is a chance to flap
	t.Logf("%v after the second relay: %d probes on the first, %d on the second", time.Since(joined).Round(time.Second), len(onRelay(all, a.id)), len(onRelay(all, b.id)))
	for _, p := range all {
		p.mu.Lock()
		if len(p.served) > 2 || slices.ContainsFunc(p.served[1:], func(s service) bool { return s.relay == a.id }) {
			t.Errorf("%s went to and fro: %v", p.name, p.served)
		}
		p.mu.Unlock()
	}
	noFalseDeath(t, w)
}
