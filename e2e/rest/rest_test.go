// Package rest measures what a probe costs: its first inventory, and then a
// time in which nothing is asked of it.
package rest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

var rest = flag.Duration("rest", 10*time.Second, "how long the probe is watched at rest; 10m for figures that mean something")

func TestMain(m *testing.M) {
	flag.Parse()
	if *debian == "" {
		world.Alone()
	}
	os.Exit(m.Run())
}

// userHertz is the unit of times in /proc/PID/stat (proc_pid_stat(5)): 100 on
// every Linux that Go runs on.
const userHertz = 100

func TestWhatAProbeCosts(t *testing.T) {
	w := world.New(t, world.Options{})
	_, address := w.Relay(world.Node{Name: "relay"})
	counted := newMeter(t, address)
	probe := w.Probe(world.Node{Name: "probe", Host: "measured", Relay: counted.address})
	w.HostUp("measured", world.Patience)
	world.Eventually(t, world.Patience, "all kinds told", func() (bool, string) {
		facts := w.Rows("host", "facts", "measured")
		kinds := map[any]bool{}
		for _, f := range facts {
			kinds[f["kind"]] = true
		}
		return len(kinds) >= 5, fmt.Sprint(kinds)
	})
	<-time.After(3 * time.Second) // what was still under way
	first := counted.read()
	discovery := cpu(t, probe.PID())
	info, err := os.Stat(filepath.Join(w.Bin, "assim-probe"))
	if err != nil {
		t.Fatal(err)
	}

	facts := len(w.Rows("changes", "--host", "measured", "--since", "1h", "--limit", "0"))
	execs := children(t, probe.PID())
	<-time.After(*rest)
	last := counted.read()
	hours := rest.Hours()
	t.Logf("binary %.2f MB", float64(info.Size())/1e6)
	t.Logf("first inventory: %d B up in %d datagrams, %d B down in %d; %.2f s of CPU since the start",
		first.up, first.upCount, first.down, first.downCount, discovery.Seconds())
	t.Logf("%v at rest: %.1f s/h of CPU; RSS %s, anonymous %s; %.2f B/s up, %.2f B/s down, %d datagrams; %d facts; child processes seen %d; bytes written to disk %s",
		*rest, (cpu(t, probe.PID())-discovery).Seconds()/hours, field(t, probe.PID(), "status", "VmRSS"), field(t, probe.PID(), "status", "RssAnon"),
		float64(last.up-first.up)/rest.Seconds(), float64(last.down-first.down)/rest.Seconds(), last.upCount+last.downCount-first.upCount-first.downCount,
		len(w.Rows("changes", "--host", "measured", "--since", "1h", "--limit", "0"))-facts, children(t, probe.PID())-execs, field(t, probe.PID(), "io", "write_bytes"))
	if info.Size() > 7_000_000 {
		t.Errorf("the probe's binary has %d bytes, more than 7 MB: see docs/adr/0010-size-of-the-probe.md", info.Size())
	}
}

// cpu is the processor time of a process so far.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(after)
	var ticks int
	for _, i := range []int{11, 12} { // utime, stime, counted behind the name
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / userHertz
}

// children counts the processor time of ended children as a sign that there
// were any; the probe starts none.
func children(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), ") ")
	n, err := strconv.Atoi(strings.Fields(after)[8]) // cminflt
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// field reads one line of a file of /proc/PID.
func field(t *testing.T, pid int, file, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("/proc/%d/%s has no %s", pid, file, name)
	return ""
}
