package uplink_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assimilation/e2e/world"
)

// TestAFullOutbox lets packages come and go while the service is away, until the
// relay has to leave something out.
func TestAFullOutbox(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it installs packages, in a copy of the package database")
	}
	const (
		budget = 512 << 10
		hosts  = 3
		enough = 15 // rounds, of which a third fills the outbox
	)
	w := world.New(t, world.Options{})
	relayHTTP := world.FreeTCP(t)
	relay, address := w.Relay(world.Node{Name: "relay", HTTP: relayHTTP, Env: []string{fmt.Sprint("ASSIM_OUTBOX_BYTES=", budget)}})
	names := make([]string, hosts)
	for i := range names {
		names[i] = fmt.Sprint("full-", i)
		w.Probe(world.Node{Name: names[i], Relay: address, Host: names[i]})
	}
	for _, name := range names {
		w.HostUp(name, world.Patience)
	}
	w.AtRest(t, relayHTTP, world.Patience)

	w.SaaS.Kill()
	pack := buildPackages(t, 6)
	largest, rounds := int64(0), 0
	const over = "the outbox is over its budget"
	for ; rounds < enough || !strings.Contains(relay.Log(), over); rounds++ {
		if rounds == 10*enough {
			t.Fatalf("the outbox was never thinned in %d rounds, its largest size was %d", rounds, largest)
		}
		before := packagesOf(w, t)
		pack.toggle(t)
		world.Eventually(t, world.Patience, "the change at the relay, of all hosts", func() (bool, string) {
			outbox, err := world.ReadOutbox(relayHTTP)
			if err != nil {
				t.Fatalf("the relay does not stay up: %v", err)
			}
			largest = max(largest, outbox.Bytes)
			told := packagesOf(w, t)
			for host := range told { // all are this machine
				if told[host] == before[host] || told[host] != told[first(told)] {
					return false, fmt.Sprint(host, " has not told of it; ", outbox)
				}
			}
			return len(told) == hosts, fmt.Sprint(len(told), " hosts")
		})
	}
	if largest > 2*budget { // where probes would be put off
		t.Errorf("the outbox held %d bytes, its budget is %d", largest, budget)
	}
	t.Logf("%d changes on %d hosts while the service was away; the outbox was thinned %d times and held %d bytes at most, its budget is %d", rounds, hosts, strings.Count(relay.Log(), over), largest, budget)

	w.SaaS.Start()
	world.Answers(t, w.URL+"/readyz")
	w.AtRest(t, relayHTTP, world.Patience, names[0], names[hosts-1])
	gaps := 0
	for _, e := range w.Rows("events", "--limit", "0") {
		if e["type"] == "relay.gap" {
			gaps++
			t.Logf("relay.gap: %v; %v", e["summary"], e["detail"])
		}
	}
	if gaps == 0 || gaps > 2 {
		t.Errorf("the history has %d gaps, want one, or two if one was sent when the next came about", gaps)
	}
	w.SameFacts(t, "relay")
	if h := w.Examine(t); h.Epochs != 1 {
		t.Errorf("the history has %d epochs, want 1", h.Epochs)
	}
}

// packagesOf is what the relay knows of each host's packages: the hashes of the
// facts, in the order of their instances.
func packagesOf(w *world.World, t *testing.T) map[string]string {
	t.Helper()
	facts := w.FactsOfRelay(t, "relay")
	of := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(facts)) {
		if host, packages, found := strings.Cut(key, " packages "); found {
			of[host] += fmt.Sprintln(packages, facts[key])
		}
	}
	return of
}

// first is the first key of a map that is not empty.
func first(m map[string]string) string { return slices.Sorted(maps.Keys(m))[0] }

// debian is a set of packages that come and go together. There are several, since
// a host's packages are spread over several facts by their names.
type debian struct {
	names, files []string
	installed    bool
}

func buildPackages(t *testing.T, count int) *debian {
	t.Helper()
	p := &debian{}
	for i := range count {
		name := fmt.Sprintf("assim-outbox-%d", i)
		tree := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(filepath.Join(tree, "DEBIAN"), 0o755); err != nil {
			t.Fatal(err)
		}
		control := "Package: " + name + "\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: comes and goes\n"
		if err := os.WriteFile(filepath.Join(tree, "DEBIAN", "control"), []byte(control), 0o644); err != nil {
			t.Fatal(err)
		}
		p.names, p.files = append(p.names, name), append(p.files, tree+".deb")
		if out, err := exec.Command("dpkg-deb", "--root-owner-group", "--build", tree, p.files[i]).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	t.Cleanup(func() { // another run of the test begins without
		if p.installed {
			p.toggle(t)
		}
	})
	return p
}

// toggle installs or removes them.
func (p *debian) toggle(t *testing.T) {
	t.Helper()
	args := append([]string{"-i"}, p.files...)
	if p.installed {
		args = append([]string{"--purge"}, p.names...)
	}
	if out, err := exec.Command("dpkg", args...).CombinedOutput(); err != nil {
		t.Fatalf("dpkg %s: %v: %s", args[0], err, out)
	}
	p.installed = !p.installed
}
