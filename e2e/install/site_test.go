package install_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

var whole = flag.Bool("whole", false, "with wget too, and an upgrade")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}

// Addresses of the two links, of the range for benchmarks (RFC 2544).
const (
	serviceAddress = "198.18.78.1"
	relayOutside   = "198.18.78.2"
	relayInside    = "198.18.79.1"
	hostAddress    = "198.18.79.2"
)

// site is a relay and one host, each in a network namespace of its own:
//
//	ours --- WAN --- relay --- LAN --- host, which has no route to anything else
type site struct {
	t           *testing.T
	w           *world.World
	relay, host string // namespaces
	wan         string // our end
	folder      string // of what the service hands out
	root        string // of what is installed on the host
	http        string // the relay's local address
}

func newSite(t *testing.T) *site {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	for _, program := range []string{"ip", "curl", "wget"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs " + program)
		}
	}
	id := os.Getpid() % 100000
	s := &site{t: t, relay: fmt.Sprintf("asi%dr", id), host: fmt.Sprintf("asi%dh", id), wan: fmt.Sprintf("asi%dw", id), folder: t.TempDir(), root: t.TempDir()}
	for _, ns := range []string{s.relay, s.host} {
		world.Run(t, nil, "ip", "netns", "add", ns)
		t.Cleanup(func() { world.Run(t, nil, "ip", "netns", "del", ns) })
		world.Run(t, nil, "ip", "-n", ns, "link", "set", "lo", "up")
	}
	world.Run(t, nil, "ip", "link", "add", s.wan, "type", "veth", "peer", "name", "wan", "netns", s.relay)
	world.Run(t, nil, "ip", "addr", "add", serviceAddress+"/30", "dev", s.wan)
	world.Run(t, nil, "ip", "link", "set", s.wan, "up")
	world.Run(t, nil, "ip", "-n", s.relay, "addr", "add", relayOutside+"/30", "dev", "wan")
	world.Run(t, nil, "ip", "-n", s.relay, "link", "set", "wan", "up")
	world.Run(t, nil, "ip", "-n", s.relay, "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", s.host)
	world.Run(t, nil, "ip", "-n", s.relay, "addr", "add", relayInside+"/24", "dev", "lan")
	world.Run(t, nil, "ip", "-n", s.relay, "link", "set", "lan", "up")
	world.Run(t, nil, "ip", "-n", s.host, "addr", "add", hostAddress+"/24", "dev", "eth0")
	world.Run(t, nil, "ip", "-n", s.host, "link", "set", "eth0", "up")

	bin := world.Build(t)
	for _, program := range []string{"assim-probe", "assim-relay"} {
		world.Run(t, nil, "cp", filepath.Join(bin, program), s.folder)
	}
	_, port, _ := strings.Cut(world.FreeTCP(t), ":")
	s.w = world.New(t, world.Options{Listen: serviceAddress + ":" + port, Env: []string{"ASSIM_DOWNLOADS=" + s.folder}})
	s.http = "127.0.0.1:1985"
	s.w.Relay(world.Node{Name: "relay", Netns: s.relay, Listen: ":1984", HTTP: s.http, Env: []string{"ASSIM_ADVERTISE=" + relayInside}})
	return s
}

// atRelay runs assim-relay beside the relay, which may not serve yet.
func (s *site) atRelay(args ...string) string {
	line := append([]string{"netns", "exec", s.relay, filepath.Join(s.w.Bin, "assim-relay")}, append(args, "--http", s.http)...)
	said, err := exec.Command("ip", line...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v\n", said, err)
	}
	return string(said)
}

// lines mints a token, and waits until its lines are those of the relay.
func (s *site) lines() (curl, wget string) {
	s.t.Helper()
	world.Eventually(s.t, 2*time.Minute, "the relay has what hosts install", func() (bool, string) {
		said := s.w.Assim("site", "install-line", s.w.Site)
		return strings.Contains(said, relayInside), said + s.atRelay("downloads")
	})
	_, token := s.w.Token("probe")
	for _, row := range s.w.Rows("site", "install-line", s.w.Site) {
		if line := strings.Replace(fmt.Sprint(row["line"]), "asm_enr_...", token, 1); row["from"] == "service" {
			continue
		} else if row["tool"] == "curl" {
			curl = line
		} else {
			wget = line
		}
	}
	world.Eventually(s.t, time.Minute, "the relay knows the token", func() (bool, string) {
		said := s.atRelay("status")
		return strings.Contains(said, ", 1 tokens"), said
	})
	return curl, wget
}

// run runs a line at the host, as somebody does who pastes it: its paths are in a
// folder, so that nothing of this machine is touched.
func (s *site) run(line string) (string, error) {
	s.t.Helper()
	command := exec.Command("ip", "netns", "exec", s.host, "sh", "-euc", line)
	sudo := filepath.Join(s.root, "sudo") // not every machine of a test has it
	if err := os.WriteFile(filepath.Join(sudo), []byte("#!/bin/sh\n[ \"$1\" != -E ] || shift\nexec \"$@\"\n"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	command.Env = []string{"PATH=" + s.root + ":" + os.Getenv("PATH"), "ASSIM_PREFIX=" + s.root + "/usr", "ASSIM_ETC=" + s.root + "/etc",
		"ASSIM_STATE=" + s.root + "/state", "HTTPS_PROXY=http://198.51.100.1:3128", "https_proxy=http://198.51.100.1:3128"}
	said, err := command.CombinedOutput()
	return string(said), err
}

func (s *site) must(line, say string) {
	s.t.Helper()
	said, err := s.run(line)
	if err != nil || !strings.Contains(said, say) {
		s.t.Fatalf("%v, or it did not say %q:\n%s", err, say, said)
	}
}

// up waits until the relay has a host that is up, and returns its row.
func (s *site) up() string {
	s.t.Helper()
	var row string
	world.Eventually(s.t, time.Minute, "the host is up", func() (bool, string) {
		for line := range strings.Lines(s.atRelay("probes")) {
			if strings.Contains(line, hostAddress) && strings.Contains(line, " up ") {
				row = line
				return true, ""
			}
		}
		log, _ := os.ReadFile(filepath.Join(s.root, "state/assim-probe.log"))
		return false, s.atRelay("probes") + string(log)
	})
	return row
}

// A host that reaches nothing but its relay gets its probe from there: while the
// service is away, with curl and with wget, again and again.
func TestHostsThatReachNothingButTheirRelay(t *testing.T) {
	s := newSite(t)
	curl, wget := s.lines()
	t.Log(strings.Replace(curl, curl[strings.Index(curl, "asm_enr_")+12:strings.Index(curl, " sudo")], "...", 1))
	uninstall := strings.NewReplacer("| ASSIM_TOKEN=", "| REST=", "sudo -E sh", "sudo -E sh -s -- --uninstall --purge").Replace(curl)
	t.Cleanup(func() { _, _ = s.run(uninstall) }) // where the test ended before it did

	world.Run(t, nil, "ip", "link", "set", s.wan, "down")
	begun := time.Now()
	s.must(curl, "installed")
	installed := time.Since(begun)
	first := s.up()
	t.Logf("with curl, the service away: installed after %.1f s, up at the relay after %.1f s", installed.Seconds(), time.Since(begun).Seconds())
	for _, secret := range []string{curl[strings.Index(curl, "asm_enr_"):strings.Index(curl, " sudo")]} {
		pid, err := os.ReadFile(filepath.Join(s.root, "state/assim-probe.pid"))
		if err != nil {
			t.Fatal(err)
		}
		environment, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/environ")
		if err != nil || strings.Contains(string(environment), secret) {
			t.Errorf("the token is in the environment of what runs (%v)", err)
		}
	}
	s.must(curl, "runs already")

	// Somebody else answers at the relay's address: the key is not the one of the line.
	forged := curl[:strings.Index(curl, "sha256//")+8] + strings.Repeat("A", 43) + "=" + curl[strings.Index(curl, " https://"):]
	if said, _ := s.run(forged); !strings.Contains(said, "public key") || strings.Contains(said, "assim:") {
		t.Errorf("a relay with another key: %s", said)
	}

	begun = time.Now()
	s.must(uninstall, "removed assim-probe, its state and its identity")
	t.Logf("removed after %.1f s", time.Since(begun).Seconds())
	for _, name := range []string{"usr/bin/assim-probe", "etc", "state"} {
		if _, err := os.Stat(filepath.Join(s.root, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	if !*whole {
		return
	}
	begun = time.Now()
	s.must(wget, "installed")
	second := s.up()
	t.Logf("with wget: up at the relay after %.1f s", time.Since(begun).Seconds())
	if strings.Fields(second)[len(strings.Fields(second))-1] == strings.Fields(first)[len(strings.Fields(first))-1] {
		t.Error("a purged host came back as the same")
	}

	// An upgrade is the same line: the service has a newer probe, the relay gets it.
	world.Run(t, nil, "ip", "link", "set", s.wan, "up")
	newer, err := os.OpenFile(filepath.Join(s.folder, "assim-probe"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = newer.WriteString("newer"); err != nil {
		t.Fatal(err)
	}
	if err = newer.Close(); err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	world.Eventually(t, 2*time.Minute, "the relay has the newer probe", func() (bool, string) {
		said, err := s.run(strings.Replace(curl, "sudo -E sh", "sudo -E sh -s -- --dry-run", 1))
		return err == nil && strings.Contains(said, "would download"), said
	})
	t.Logf("the relay had the newer probe after %.1f s", time.Since(begun).Seconds())
	begun = time.Now()
	s.must(curl, "stopping process")
	world.Eventually(t, time.Minute, "the host is back", func() (bool, string) {
		rows := s.atRelay("probes")
		return strings.Contains(s.up(), strings.Fields(second)[len(strings.Fields(second))-1]), rows
	})
	t.Logf("upgraded and up, as the same host, after %.1f s", time.Since(begun).Seconds())
	if said := s.atRelay("status"); !strings.Contains(said, "probe versions") || !strings.Contains(said, "hosts install from") {
		t.Errorf("status: %s", said)
	}
	s.must(uninstall, "removed assim-probe")
}
