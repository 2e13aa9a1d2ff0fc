package rest_test

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

//go:embed boot.sh
var boot string

// machine is a Debian with a systemd of its own as PID 1, in namespaces of its
// own: what else happens on the test's machine is not seen in there.
type machine struct {
	t       testing.TB
	root    string // its root directory
	pid     int    // of its systemd, here
	address string // of our end of its only link
}

// Addresses of the link, of the range for benchmarks (RFC 2544).
const (
	ourAddress   = "198.18.77.1"
	theirAddress = "198.18.77.2"
)

// bootMachine copies the root and boots it.
func bootMachine(t testing.TB, from, name string) *machine {
	t.Helper()
	m := &machine{t: t, root: filepath.Join(t.TempDir(), "root"), address: ourAddress}
	world.Run(t, nil, "cp", "-a", "--reflink=auto", from, m.root)
	if err := os.WriteFile(filepath.Join(m.root, "etc/hostname"), []byte(name+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	group := filepath.Join(cgroups(t), fmt.Sprint("assim-rest-", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeGroups(t, group) })
	host := world.Start(t, name, func() *exec.Cmd {
		line := `echo $$ >"$1/cgroup.procs" && exec unshare --pid --mount --uts --ipc --net --cgroup --fork --kill-child bash -c "$3" boot "$2"`
		return exec.Command("bash", "-c", line, "group", group, m.root, boot)
	})
	// Its PID 1 takes no SIGTERM of ours for an end; it goes with its parent.
	t.Cleanup(host.Kill)
	world.Eventually(t, time.Minute, "systemd of "+name, func() (bool, string) {
		m.pid = childOf(host.PID())
		if m.pid == 0 {
			return false, host.Log()
		}
		out, err := m.command("systemctl", "is-system-running").CombinedOutput()
		state := strings.TrimSpace(string(out))
		if state == "degraded" {
			failed, _ := m.command("systemctl", "--failed", "--no-legend", "--plain").CombinedOutput()
			t.Fatalf("units that failed at the start: %s", failed)
		}
		return state == "running", fmt.Sprint(state, " ", err, " ", host.Log())
	})
	m.link()
	return m
}

// link joins the machine to us.
func (m *machine) link() {
	m.t.Helper()
	ours := fmt.Sprint("rest", os.Getpid())
	world.Run(m.t, nil, "ip", "link", "add", ours, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(m.pid))
	m.t.Cleanup(func() { // it goes with the machine's namespace, unless that is gone already
		_ = exec.Command("ip", "link", "del", ours).Run()
	})
	world.Run(m.t, nil, "ip", "addr", "add", ourAddress+"/30", "dev", ours)
	world.Run(m.t, nil, "ip", "link", "set", ours, "up")
	m.run("ip", "addr", "add", theirAddress+"/30", "dev", "eth0")
	m.run("ip", "link", "set", "eth0", "up")
}

// command makes a command that runs in the machine.
func (m *machine) command(line ...string) *exec.Cmd {
	pid := strconv.Itoa(m.pid)
	enter := []string{"--target", pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root=/proc/" + pid + "/root", "--wd=/proc/" + pid + "/root",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"}
	return exec.Command("nsenter", append(enter, line...)...)
}

// run runs a command in the machine to its end.
func (m *machine) run(line ...string) {
	m.t.Helper()
	if out, err := m.command(line...).CombinedOutput(); err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(line, " "), err, out)
	}
}

// probe starts a probe in the machine and returns the process itself, which is
// not the one that entered the namespaces.
func (m *machine) probe(bin, token, relay string) (pid int) {
	m.t.Helper()
	world.Run(m.t, nil, "install", "-D", filepath.Join(bin, "assim-probe"), filepath.Join(m.root, "usr/local/bin/assim-probe"))
	p := world.Start(m.t, "probe", func() *exec.Cmd {
		return m.command("ASSIM_TOKEN="+token, "ASSIM_RELAY="+relay, "/usr/local/bin/assim-probe", "run", "--state", "/var/lib/assim")
	})
	m.t.Cleanup(p.Kill)
	world.Eventually(m.t, time.Minute, "the probe's process", func() (bool, string) {
		pid = childOf(p.PID())
		return pid != 0, p.Log()
	})
	return pid
}

// childOf finds the first child of a process, 0 when it has none.
func childOf(pid int) int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the thread ended
		}
		if child, _, _ := strings.Cut(string(b), " "); child != "" {
			if n, err := strconv.Atoi(child); err == nil {
				return n
			}
		}
	}
	return 0
}

// cgroups is where the machine's cgroups of version 2 are.
func cgroups(t testing.TB) string {
	t.Helper()
	for _, dir := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
			return dir
		}
	}
	t.Fatal("no cgroups of version 2 are mounted (cgroups(7)), without which no systemd starts")
	return ""
}

// removeGroups removes what systemd made, the innermost first.
func removeGroups(t testing.TB, group string) {
	t.Helper()
	world.Eventually(t, time.Minute, "removal of "+group, func() (bool, string) {
		out, err := exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").CombinedOutput()
		return err == nil, string(out)
	})
}
