package presence_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"assimilation/e2e/world"
)

// Two machines of one image have one key: who was there first stays, the other
// is refused, and people learn of it.
func TestOneKeyInTwoPlaces(t *testing.T) {
	w := world.New(t, world.Options{})
	status := world.FreeTCP(t)
	relay, address := w.Relay(world.Node{Name: "relay", HTTP: status})
	first := w.Probe(world.Node{Name: "first", Host: "first", Relay: address})
	w.HostUp("first", time.Minute)
	if err := os.Mkdir(w.State("second"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"key", "pin"} {
		content, err := os.ReadFile(filepath.Join(w.State("first"), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.State("second"), name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second := w.Probe(world.Node{Name: "second", Host: "second", Relay: address})
	relay.Says("kind=clone", 2*time.Minute)
	second.Says("cloned", 2*time.Minute)
	// The second had the name for a moment; the first has it again.
	w.HostUp("first", time.Minute)
	second.Kill()
	first.Stop()
	shown(t, w, "shutdown", "first", "", time.Minute)
}
