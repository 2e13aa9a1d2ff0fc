package benchprobe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/execs"
	"assimilation/e2e/world"
)

// usage is what a process has used so far.
type usage struct {
	cpu       time.Duration
	disk      int64 // bytes caused to be written
	execs     int
	wire      int64 // bytes in both directions of the host's link
	datagrams int64
}

// userHertz is the unit of times in /proc/PID/stat (proc_pid_stat(5)): 100 on
// every Linux that Go runs on.
const userHertz = 100

func measure(t testing.TB, c candidate, started *execs.Watch) usage {
	t.Helper()
	u := usage{execs: started.Of(c.process.PID())}
	for _, file := range glob(t, c.process.PID(), "task/*/schedstat") {
		ran, _, _ := strings.Cut(read(t, file), " ")
		u.cpu += time.Duration(number(t, ran))
	}
	_, after, _ := strings.Cut(read(t, proc(c.process.PID(), "stat")), ") ")
	for _, i := range []int{13, 14} { // of ended children, user and system
		u.cpu += time.Duration(number(t, strings.Fields(after)[i])) * time.Second / userHertz
	}
	u.disk = number(t, value(t, c.process.PID(), "io", "write_bytes"))
	var links []struct {
		Stats64 struct {
			Rx, Tx struct{ Bytes, Packets int64 }
		} `json:"stats64"`
	}
	out := world.Run(t, nil, "ip", "-n", c.host.Netns, "-s", "-j", "link", "show", "eth0")
	if err := json.Unmarshal([]byte(out), &links); err != nil || len(links) != 1 {
		t.Fatalf("ip -s -j link: %v: %s", err, out)
	}
	s := links[0].Stats64
	u.wire, u.datagrams = s.Rx.Bytes+s.Tx.Bytes, s.Rx.Packets+s.Tx.Packets
	return u
}

// memory is the resident and the proportional set size in MB.
func memory(t testing.TB, pid int) (rss, pss float64) {
	t.Helper()
	kilobytes := func(file, name string) float64 {
		return float64(number(t, strings.TrimSuffix(value(t, pid, file, name), " kB"))) * 1024 / 1e6
	}
	return kilobytes("status", "VmRSS"), kilobytes("smaps_rollup", "Pss")
}

func proc(pid int, file string) string { return fmt.Sprintf("/proc/%d/%s", pid, file) }

func glob(t testing.TB, pid int, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(proc(pid, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: none: %v", proc(pid, pattern), err)
	}
	return files
}

func read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// value is a named line of a file of /proc/PID.
func value(t testing.TB, pid int, file, name string) string {
	t.Helper()
	for line := range strings.Lines(read(t, proc(pid, file))) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("/proc/%d/%s has no %s", pid, file, name)
	return ""
}

func number(t testing.TB, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
