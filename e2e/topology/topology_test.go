// Package topology shows that a person's question about a site's wiring travels
// to its relay and back, that a site keeps its topology, and what a relay says of
// what leaves.
package topology_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
	"assimilation/uplink"
)

func TestASiteIsAskedLive(t *testing.T) {
	w := world.New(t, world.Options{})
	http := world.FreeTCP(t)
	relay, address := w.Relay(world.Node{Name: "relay", HTTP: http})
	w.Probe(world.Node{Name: "probe", Host: "asked", Relay: address})
	w.HostUp("asked", time.Minute)

	var told uplink.Topology
	took := world.Eventually(t, time.Minute, "the relay's answer", func() (bool, string) {
		out := w.Assim("topology", w.Site, "-o", "json")
		if err := json.Unmarshal([]byte(out), &told); err != nil {
			return false, err.Error()
		}
		return len(told.Hosts) == 1 && len(told.Switches) == 1, out
	})
	if h := told.Hosts[0]; h.Name != "asked" || h.State != "up" || h.Domain != told.Switches[0].Domain {
		t.Errorf("%+v", told)
	}
	t.Logf("answered after %.2f s", took.Seconds())
	local := run(t, w, "assim-relay", "topology", "--http", http, "-o", "json")
	var here uplink.Topology
	if err := json.Unmarshal([]byte(local), &here); err != nil || len(here.Hosts) != 1 || here.Switches[0].Domain != told.Switches[0].Domain {
		t.Errorf("the relay itself says %s: %v", local, err)
	}
	if tree := w.Assim("topology", w.Site); !strings.Contains(tree, "asked") {
		t.Errorf("the tree is %s", tree)
	}
	if rows := w.Rows("query", "allswitchports"); len(rows) != 0 {
		t.Errorf("no switch speaks here, and %v is a port", rows)
	}

	preview := run(t, w, "assim-relay", "preview", "--http", http, "--kind", "os")
	if !strings.Contains(preview, `"id":"`) || !strings.Contains(preview, "policy site") {
		t.Errorf("preview says %s", preview)
	}
	set := w.Assim("site", "set", w.Site, "--residency", "replicate", "--beat", "2s", "-o", "json")
	if !strings.Contains(set, `"replicate"`) || !strings.Contains(set, "2000") {
		t.Errorf("the policy is %s", set)
	}
	world.Eventually(t, time.Minute, "the policy at the relay", func() (bool, string) {
		out := run(t, w, "assim-relay", "preview", "--http", http, "--kind", "os")
		return strings.Contains(out, "policy replicate"), out
	})

	relay.Kill()
	began := time.Now()
	out, err := try(w, "assim", "topology", w.Site)
	if err == nil || !strings.Contains(out, "did not answer") {
		t.Errorf("a site without its relay answers %s, %v", out, err)
	}
	t.Logf("a dead relay: told after %.1f s: %s", time.Since(began).Seconds(), strings.TrimSpace(out))
}

func run(t *testing.T, w *world.World, program string, arguments ...string) string {
	t.Helper()
	return world.Run(t, []string{w.Config()}, filepath.Join(w.Bin, program), arguments...)
}

// try runs a program that may fail, and returns all that it says.
func try(w *world.World, program string, arguments ...string) (string, error) {
	cmd := exec.Command(filepath.Join(w.Bin, program), arguments...)
	cmd.Env = append(os.Environ(), w.Config())
	out, err := cmd.CombinedOutput()
	return string(out), err
}
