// Package faults kills every part of a running installation at random moments
// while its host changes, and then looks for what was lost or told twice.
package faults_test

import (
	"encoding/json"
	"flag"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

var (
	kills = flag.Int("kills", 4, "how many times a part is killed")
	seed  = flag.Uint64("seed", 0, "of the random moments; 0 draws one and prints it")
)

func TestMain(m *testing.M) {
	world.PeerMain()
	flag.Parse()
	os.Exit(m.Run())
}

// Between two kills the system has time to recover in part, never for sure.
const (
	minCalm, maxCalm = 2 * time.Second, 12 * time.Second
	maxDown          = 4 * time.Second
	settle           = 3 * time.Minute
)

func TestNothingIsLostAndNothingToldTwice(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it installs packages and reads other users' processes")
	}
	if *seed == 0 {
		*seed = mathrand.Uint64()
	}
	t.Logf("seed %d", *seed)
	random := mathrand.New(mathrand.NewPCG(*seed, 1))

	database := startPostgres(t)
	w := world.New(t, world.Options{Database: database.fresh(t)})
	relayHTTP := world.FreeTCP(t)
	relay, address := w.Relay(world.Node{Name: "relay", HTTP: relayHTTP})
	probe := w.Probe(world.Node{Name: "probe", Relay: address})
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	w.HostUp(host, time.Minute)
	// What stands when a fact is first told is part of it, and no change.
	for _, kind := range []string{"sockets", "packages"} {
		world.Eventually(t, settle, "the first "+kind, func() (bool, string) {
			told, err := w.Try("changes", "--host", host, "--kind", kind, "--since", "1h", "-o", "json")
			return err == nil && strings.Contains(told, `"kind"`), told
		})
	}

	victims := []struct {
		name          string
		kill, restart func()
	}{
		{"assim-saas", w.SaaS.Kill, w.SaaS.Start},
		{"assim-relay", relay.Kill, relay.Start},
		{"assim-probe", probe.Kill, probe.Start},
		{"postgres", database.kill, database.start},
	}
	markers := startMarkers(t, random.Uint64())
	for i := range *kills {
		<-time.After(minCalm + time.Duration(random.Int64N(int64(maxCalm-minCalm))))
		v := victims[i%len(victims)]
		down := time.Duration(random.Int64N(int64(maxDown)))
		t.Logf("kill %d: %s, down for %v", i+1, v.name, down.Round(time.Millisecond))
		v.kill()
		<-time.After(down)
		v.restart()
	}
	stood := markers.stop()

	// The world comes to rest: everything reported, nothing waiting.
	w.AtRest(t, relayHTTP, settle, host)
	switch h := w.Examine(t); {
	case h.Epochs != 1:
		t.Errorf("the stream began anew: %d epochs", h.Epochs)
	case h.Versions < 20:
		t.Errorf("only %d fact versions: the test shows nothing", h.Versions)
	}
	var told []change
	if err := json.Unmarshal([]byte(w.Assim("changes", "--host", host, "--since", "24h", "--limit", "0", "-o", "json")), &told); err != nil {
		t.Fatal(err)
	}
	for _, m := range stood {
		if n := m.added(told); n != 1 {
			t.Errorf("marker %s stood for %v and was told %d times", m.name, m.stood.Round(time.Second), n)
		}
	}
	t.Logf("%d kills; %d markers stood for more than %v, each must be told once", *kills, len(stood), mustBeTold)
	if len(stood) == 0 {
		t.Error("no marker stood long enough: the test shows nothing")
	}
}
