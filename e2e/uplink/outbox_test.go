package uplink_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"assimilation/e2e/world"
)

// TestAFullOutbox lets packages come and go while the service is away, until the
// relay has to leave something out.
func TestAFullOutbox(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it installs packages")
	}
	const budget, hosts = 512 << 10, 3 // the latest facts of more would not fit, where much runs beside them
	w := world.New(t, world.Options{})
	relayHTTP := world.FreeTCP(t)
	relay, address := w.Relay(world.Node{Name: "relay", HTTP: relayHTTP, Env: []string{fmt.Sprint("ASSIM_OUTBOX_BYTES=", budget)}})
	names := make([]string, hosts)
	for i := range names {
		names[i] = fmt.Sprint("full-", i)
		w.Probe(world.Node{Name: names[i], Relay: address, Host: names[i]})
	}
	for _, name := range names {
		w.HostUp(name, time.Minute)
	}
	w.AtRest(t, relayHTTP, settle, names[0])

	w.SaaS.Kill()
	pack := buildPackage(t)
	largest, rounds := int64(0), 0
	for deadline := time.Now().Add(settle); ; rounds++ {
		if time.Now().After(deadline) {
			t.Fatalf("the outbox was never thinned in %d rounds, its largest size was %d", rounds, largest)
		}
		pack.toggle(t)
		before, err := world.ReadOutbox(relayHTTP)
		if err != nil {
			t.Fatalf("the relay does not stay up: %v", err)
		}
		// All probes have told of it when the outbox has grown, or was thinned.
		thinned := false
		world.Eventually(t, time.Minute, "the change in the outbox", func() (bool, string) {
			now, err := world.ReadOutbox(relayHTTP)
			largest = max(largest, now.Bytes)
			thinned = now.Bytes < before.Bytes
			return err == nil && (thinned || now.Last >= before.Last+hosts), fmt.Sprint(now, err)
		})
		if thinned && rounds > 20 {
			break
		}
	}
	if pack.installed {
		pack.toggle(t)
	}
	if largest > 2*budget { // where probes would be put off
		t.Errorf("the outbox held %d bytes, its budget is %d", largest, budget)
	}
	relay.Says("the outbox is over its budget", time.Second)
	t.Logf("%d changes on %d hosts while the service was away; the outbox held %d bytes at most, its budget is %d", rounds+1, hosts, largest, budget)

	w.SaaS.Start()
	world.Answers(t, w.URL+"/readyz")
	w.AtRest(t, relayHTTP, settle, names[0], names[hosts-1])
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
	if h := w.Examine(t); h.Epochs != 1 {
		t.Errorf("the history has %d epochs, want 1", h.Epochs)
	}
}

// debian is a package that comes and goes.
type debian struct {
	name, file string
	installed  bool
}

func buildPackage(t *testing.T) *debian {
	t.Helper()
	p := &debian{name: fmt.Sprintf("assim-outbox-%d", os.Getpid())}
	tree := filepath.Join(t.TempDir(), p.name)
	p.file = tree + ".deb"
	if err := os.MkdirAll(filepath.Join(tree, "DEBIAN"), 0o755); err != nil {
		t.Fatal(err)
	}
	control := "Package: " + p.name + "\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: comes and goes\n"
	if err := os.WriteFile(filepath.Join(tree, "DEBIAN", "control"), []byte(control), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "--build", tree, p.file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if p.installed {
			p.toggle(t)
		}
	})
	return p
}

// toggle installs or removes it. Others may hold dpkg's lock.
func (p *debian) toggle(t *testing.T) {
	t.Helper()
	args := []string{"-i", p.file}
	if p.installed {
		args = []string{"--purge", p.name}
	}
	world.Eventually(t, time.Minute, "dpkg "+args[0], func() (bool, string) {
		out, err := exec.Command("dpkg", args...).CombinedOutput()
		return err == nil, string(out)
	})
	p.installed = !p.installed
}
