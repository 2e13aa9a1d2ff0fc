package benchdiscovery

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"assimilation/e2e/execs"
	"assimilation/e2e/world"
)

// run is what one run took.
type run struct {
	cpu, wall time.Duration
	peak      int64 // bytes resident, of the largest process
	execs     int
	out       []byte
}

// layer runs programs in the namespaces of its holder.
type layer struct {
	b       *testing.B
	holder  *world.Process
	started *execs.Watch
}

// median runs a program as often as it wants and returns the run whose processor
// time is the median.
func (l layer) median(c candidate) run {
	all := make([]run, c.runs)
	for i := range all {
		all[i] = l.once(c.line, c.writes)
	}
	slices.SortFunc(all, func(x, y run) int { return int(x.cpu - y.cpu) })
	return all[len(all)/2]
}

// once runs a program. A shell waits in its place until its events are heard of.
func (l layer) once(line []string, writes string) (r run) {
	holder := strconv.Itoa(l.holder.PID())
	cmd := exec.Command("nsenter", append([]string{"--target", holder, "--mount", "--root", "--wd", "--", "sh", "-c", `read -r go; exec "$@"`, "sh"}, line...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	gate, err := cmd.StdinPipe()
	if err != nil {
		l.b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.b.Fatal(err)
	}
	world.Eventually(l.b, time.Minute, "the shell", func() (bool, string) {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid))
		return string(name) == "sh\n", fmt.Sprint(string(name), err)
	})
	l.started.Settle(l.b)
	before := l.started.Of(cmd.Process.Pid)
	began := time.Now()
	if _, err := gate.Write([]byte("\n")); err != nil {
		l.b.Fatal(err)
	}
	gate.Close()
	// facter and lynis fail when one of many things could not be read.
	if err := cmd.Wait(); err != nil && out.Len() == 0 && writes == "" {
		l.b.Fatalf("%s: %v: %s", strings.Join(line, " "), err, errs.String())
	}
	r.wall = time.Since(began)
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.peak = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024
	l.started.Settle(l.b)
	r.execs = l.started.Of(cmd.Process.Pid) - before - 1 // itself
	r.out = out.Bytes()
	if writes != "" {
		if r.out, err = os.ReadFile(filepath.Join("/proc", holder, "root", writes)); err != nil {
			l.b.Fatal(err)
		}
	}
	return r
}
