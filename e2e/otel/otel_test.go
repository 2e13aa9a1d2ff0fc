package otel

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

var program = flag.String("collector", "", "the collector that `make e2e-otel` builds")

// within bounds each wait: the machine may be busy.
const within = 3 * time.Minute

// A host dies, a package comes, and hosts' states are told, to a collector by gRPC
// and to one by HTTP. What happens while both are down comes later, all of it.
func TestACollectorHasWhatHappens(t *testing.T) {
	if *program == "" {
		t.Skip("make e2e-otel builds the collector that this needs")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	lan := newLAN(t)
	w := world.New(t, world.Options{Env: []string{"ASSIM_PRIVATE_COLLECTORS=true"}})
	collectors := []*collector{startCollector(t, "grpc"), startCollector(t, "http")}
	for _, c := range collectors {
		w.Assim("export", "otlp", "create", c.protocol, "--protocol", c.protocol, "--endpoint", "http://"+c.address)
	}
	for _, e := range w.Rows("export", "otlp", "list") {
		t.Logf("%s: %s", e["name"], w.Assim("export", "otlp", "test", fmt.Sprint(e["id"])))
	}
	_, relay := w.Relay(world.Node{Name: "relay", Listen: lan.relay + ":19841"})
	for _, name := range []string{"db", "mail", "app"} {
		w.Probe(world.Node{Name: name, Host: name, Netns: lan.host(t, name), Relay: relay})
	}
	dpkg := packageHost(t, w, lan.host(t, "web"), relay)
	for _, name := range []string{"db", "mail", "app", "web"} {
		w.HostUp(name, within)
	}

	t.Log("host metrics")
	for _, c := range collectors {
		c.Says("assimilation.host.up", within)
		c.Says("-> host.name: Str(web)", within)
		c.Says("-> os.type: Str(linux)", within)
	}
	t.Log("a package change")
	world.Eventually(t, within, "web's packages are known", func() (bool, string) {
		changes := w.Assim("changes", "--host", "web", "--since", "1h")
		return strings.Contains(changes, "packages"), changes
	})
	install(t, dpkg, "otel-before")
	for _, c := range collectors {
		c.Says("otel-before 1.0 installed", within)
	}

	t.Log("a host death and a package change while both collectors are down")
	for _, c := range collectors {
		c.Kill()
	}
	lan.cut(t, "db")
	install(t, dpkg, "otel-meanwhile")
	world.Eventually(t, within, "the death is known", func() (bool, string) {
		events := w.Assim("events", "--limit", "50")
		return strings.Contains(events, "host down: db"), events
	})
	world.Eventually(t, within, "the exporters know that the collectors are down", func() (bool, string) {
		rows := w.Rows("export", "otlp", "list")
		down := !slices.ContainsFunc(rows, func(r map[string]any) bool { return r["tries"].(float64) == 0 || r["waiting"].(float64) == 0 })
		return down, fmt.Sprint(rows)
	})
	t.Log("\n" + w.Assim("export", "otlp", "list"))
	for _, c := range collectors {
		c.Start()
	}
	for _, c := range collectors {
		c.Says("host down: db", within)
		c.Says("otel-meanwhile 1.0 installed", within)
	}

	t.Log("nothing is lost")
	world.Eventually(t, within, "nothing waits", func() (bool, string) {
		rows := w.Rows("export", "otlp", "list")
		waits := slices.ContainsFunc(rows, func(r map[string]any) bool { return r["tries"].(float64) != 0 || r["waiting"].(float64) != 0 })
		return !waits, fmt.Sprint(rows)
	})
	events := w.Rows("events", "--limit", "1000")
	for _, c := range collectors {
		missing := 0
		for _, e := range events {
			if !strings.Contains(c.Log(), fmt.Sprintf("assimilation.event.id: Int(%.0f)\n", e["id"])) {
				missing++
				t.Errorf("by %s: event %v never came: %v", c.protocol, e["id"], e["summary"])
			}
		}
		t.Logf("by %s: %d events, %d missing; %d log records, %d points of metrics in all", c.protocol, len(events), missing,
			strings.Count(c.Log(), "LogRecord #"), strings.Count(c.Log(), "NumberDataPoints #"))
		c.print(t, "host down: db", "otel-meanwhile 1.0", "assimilation.host.up")
	}
	t.Log("\n" + w.Assim("export", "otlp", "list"))
}

// collector is a real one, which prints all that it takes.
type collector struct {
	*world.Process
	protocol, address string
}

func startCollector(t *testing.T, protocol string) *collector {
	t.Helper()
	c := &collector{protocol: protocol, address: world.FreeTCP(t)}
	config := filepath.Join(t.TempDir(), "collector.yaml")
	text := fmt.Sprintf(`
receivers:
  otlp:
    protocols:
      %s:
        endpoint: %s
exporters:
  debug:
    verbosity: detailed
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    logs: {receivers: [otlp], exporters: [debug]}
    metrics: {receivers: [otlp], exporters: [debug]}
    traces: {receivers: [otlp], exporters: [debug]}
`, protocol, c.address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Process = world.Start(t, "collector-"+protocol, func() *exec.Cmd { return exec.Command(*program, "--config", config) })
	c.Says("Everything is ready", within)
	return c
}

// print shows the collector's own words about these.
func (c *collector) print(t *testing.T, texts ...string) {
	parts := regexp.MustCompile(`Resource(Log|Metrics) #`).Split(c.Log(), -1)
	for _, text := range texts {
		i := slices.IndexFunc(parts, func(p string) bool { return strings.Contains(p, text) })
		if i < 0 {
			t.Errorf("by %s: the collector did not print %q", c.protocol, text)
			continue
		}
		about, records, _ := strings.Cut(parts[i], "LogRecord #")
		for record := range strings.SplitSeq(records, "LogRecord #") {
			if strings.Contains(record, text) {
				about += "LogRecord #" + record
				break
			}
		}
		lines := strings.Split(about, "\n")
		t.Logf("the collector by %s:\nResource #%s", c.protocol, strings.Join(lines[:min(len(lines), 45)], "\n"))
	}
}

// packageHost starts a probe that has a package database of its own, and returns
// the database's folder.
func packageHost(t *testing.T, w *world.World, netns, relay string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "dpkg")
	world.Run(t, nil, "cp", "-a", "/var/lib/dpkg", folder)
	_, token := w.Token("probe")
	file := filepath.Join(w.Dir, "web.token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	world.Start(t, "web", func() *exec.Cmd {
		cmd := exec.Command("ip", "netns", "exec", netns, "unshare", "--uts", "--mount", "sh", "-c",
			`hostname web && mount --bind "$0" /var/lib/dpkg && exec "$@"`, folder, filepath.Join(w.Bin, "assim-probe"), "run", "--state", w.State("web"))
		cmd.Env = append(os.Environ(), "ASSIM_TOKEN_FILE="+file, "ASSIM_RELAY="+relay)
		return cmd
	})
	return folder
}

// install puts a package into a database as dpkg does: a new file takes the old
// one's name.
func install(t *testing.T, folder, name string) {
	t.Helper()
	status := filepath.Join(folder, "status")
	before, err := os.ReadFile(status)
	if err != nil {
		t.Fatal(err)
	}
	after := strings.TrimRight(string(before), "\n") + "\n\nPackage: " + name +
		"\nStatus: install ok installed\nPriority: optional\nSection: misc\nInstalled-Size: 1\nMaintainer: Nobody <nobody@example.org>\nArchitecture: all\nVersion: 1.0\nDescription: a package of a test\n\n"
	if err := os.WriteFile(status+"-new", []byte(after), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(status+"-new", status); err != nil {
		t.Fatal(err)
	}
}
