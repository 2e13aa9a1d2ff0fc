package rest_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

var installer = flag.Bool("install", false, "the root has curl and sudo, see installer.sh: relay and probe are installed there")

// TestInstallUnderSystemd runs the lines that people copy on a Debian with its own
// systemd: the relay's, which the service shows, then that of its hosts, which the
// relay serves; again, as an upgrade; and removal, after which nothing is left.
func TestInstallUnderSystemd(t *testing.T) {
	if *debian == "" || !*installer {
		t.Skip("make e2e-install gives this a Debian root to boot")
	}
	m := bootMachine(t, *debian, "web1")
	before := m.files()
	t.Cleanup(func() {
		if t.Failed() {
			said, _ := m.command("journalctl", "--no-pager", "-n", "40", "-u", "assim-relay", "-u", "assim-probe").CombinedOutput()
			t.Logf("journal:\n%s", said)
		}
	})
	folder := t.TempDir()
	for _, program := range []string{"assim-probe", "assim-relay"} {
		world.Run(t, nil, "cp", filepath.Join(world.Build(t), program), folder)
	}
	listener, err := net.Listen("tcp", ourAddress+":0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	w := world.New(t, world.Options{Listen: address, Env: []string{"ASSIM_DOWNLOADS=" + folder}})

	begun := time.Now()
	relayLine := m.line(w, "relay")
	m.run("sh", "-euc", relayLine)
	said := time.Since(begun)
	world.Eventually(t, 2*time.Minute, "the relay has what hosts install", func() (bool, string) {
		lines := w.Assim("site", "install-line", w.Site)
		return strings.Contains(lines, theirAddress), lines
	})
	t.Logf("relay: installed after %.1f s, serves hosts after %.1f s", said.Seconds(), time.Since(begun).Seconds())

	begun = time.Now()
	probeLine := m.line(w, "probe")
	if !strings.Contains(probeLine, "https://"+theirAddress+":1987/") {
		t.Fatalf("the hosts' line is %s", probeLine)
	}
	m.run("sh", "-euc", probeLine)
	said = time.Since(begun)
	first := w.HostUp("web1", 2*time.Minute)
	t.Logf("probe: installed after %.1f s, up after %.1f s", said.Seconds(), time.Since(begun).Seconds())

	for want, line := range map[string]string{"yes": "ASSIM_FIREWALL=yes ", "no": "ASSIM_FIREWALL=no "} {
		m.run("sh", "-euc", strings.Replace(probeLine, "ASSIM_TOKEN=", line+"ASSIM_TOKEN=", 1))
		rights, err := m.command("systemctl", "show", "--property=AmbientCapabilities", "assim-probe").CombinedOutput()
		if has := strings.Contains(string(rights), "cap_net_admin"); err != nil || has != (want == "yes") {
			t.Errorf("ASSIM_FIREWALL=%s: %s %v", want, rights, err)
		}
	}

	for _, program := range []string{"assim-probe", "assim-relay"} {
		file, err := os.OpenFile(filepath.Join(folder, program), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = file.WriteString("newer")
		}
		if err == nil {
			err = file.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	begun = time.Now()
	m.run("sh", "-euc", relayLine)
	t.Logf("relay: upgraded after %.1f s", time.Since(begun).Seconds())
	world.Eventually(t, 2*time.Minute, "the relay has the newer probe", func() (bool, string) {
		out, err := m.command("sh", "-euc", strings.Replace(probeLine, "sudo -E sh", "sudo -E sh -s -- --dry-run", 1)).CombinedOutput()
		return err == nil && strings.Contains(string(out), "would download"), string(out)
	})
	begun = time.Now()
	m.run("sh", "-euc", probeLine)
	second := w.HostUp("web1", 2*time.Minute)
	t.Logf("probe: upgraded and up after %.1f s", time.Since(begun).Seconds())
	if first["id"] != second["id"] || len(w.Rows("relay", "list", "--site", w.Site)) != 1 {
		t.Errorf("an upgrade made another host or relay: %v, then %v", first["id"], second["id"])
	}
	if failed, err := m.command("systemctl", "--failed", "--no-legend", "--plain").CombinedOutput(); err != nil || len(failed) > 0 {
		t.Errorf("failed units: %s %v", failed, err)
	}

	begun = time.Now()
	m.run("sh", "-euc", "curl -fsSL "+w.URL+"/install.sh | sudo sh -s -- --uninstall --purge")
	t.Logf("both removed after %.1f s", time.Since(begun).Seconds())
	if left := missingFrom(before, m.files()); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// line mints a token and takes its line as a person would.
func (m *machine) line(w *world.World, kind string) string {
	m.t.Helper()
	var minted struct{ Install string }
	if err := json.Unmarshal([]byte(w.Assim("token", "create", "--site", w.Site, "--kind", kind, "-o", "json")), &minted); err != nil {
		m.t.Fatal(err)
	}
	return minted.Install
}

// files lists what is on the machine's disk, but for what systemd itself keeps.
func (m *machine) files() string {
	m.t.Helper()
	out, err := m.command("find", "/", "-xdev", "(", "-path", "/var/log", "-o", "-path", "/var/tmp", "-o", "-path", "/var/cache", "-o", "-path", "/var/lib/systemd", "-o", "-path", "/var/lib/sudo", ")",
		"-prune", "-o", "-print").CombinedOutput()
	if err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// missingFrom are the lines of after that before lacks.
func missingFrom(before, after string) string {
	had := map[string]bool{}
	for line := range strings.Lines(before) {
		had[line] = true
	}
	var left strings.Builder
	for line := range strings.Lines(after) {
		if !had[line] {
			fmt.Fprint(&left, line)
		}
	}
	return left.String()
}
