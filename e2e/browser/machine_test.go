package browser_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"assimilation/e2e/world"
)

// machine is a Linux machine as far as an installer can see: a network namespace
// with a host name, processes and folders of its own. Nothing that is installed
// there is left, and nothing of it runs on, when the test ends.
type machine struct {
	t    testing.TB
	name string
	init *world.Process
}

// Makes the machine's own folders, and stays as its first process. Of /var/lib
// only what probes read is there; in /run there is no systemd, which would be that
// of the machine outside.
const boot = `set -e
hostname "$0"
own=$(mktemp -d)
mount -t tmpfs tmpfs "$own"
cp -a /etc "$own/etc"
echo "127.0.0.1 localhost $0" >"$own/etc/hosts"
tr -d - </proc/sys/kernel/random/uuid >"$own/etc/machine-id"
mkdir "$own/lib" "$own/lib/dpkg"
mount --bind "$own/etc" /etc
mount --bind /var/lib/dpkg "$own/lib/dpkg"
mount --rbind "$own/lib" /var/lib
mount -t tmpfs tmpfs /usr/local
mkdir -p /usr/local/bin
mount -t tmpfs tmpfs /run
echo ready
exec sleep infinity`

func newMachine(t testing.TB, netns, name string) *machine {
	t.Helper()
	m := &machine{t: t, name: name}
	m.init = world.Start(t, name, func() *exec.Cmd {
		return exec.Command("ip", "netns", "exec", netns, "unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", boot, name)
	})
	t.Cleanup(m.init.Kill) // a first process heeds no SIGTERM
	m.init.Says("ready", readyWithin)
	return m
}

// inside is a command on the machine. The namespaces are found at unshare, the
// parent of its first process.
func (m *machine) inside(program string, args ...string) *exec.Cmd {
	proc := fmt.Sprintf("/proc/%d/ns/", m.init.PID())
	return exec.Command("nsenter", append([]string{"--net=" + proc + "net", "--mount=" + proc + "mnt", "--uts=" + proc + "uts", "--pid=" + proc + "pid_for_children", program}, args...)...)
}

// run runs a line in a shell, as somebody does who pastes it.
func (m *machine) run(line string) {
	m.t.Helper()
	said, err := m.inside("sh", "-c", line).CombinedOutput()
	m.t.Logf("%s# %s\n%s", m.name, line, said)
	if err != nil {
		m.t.Fatalf("on %s: %v", m.name, err)
	}
}

// peer starts a small program on the machine that listens or connects.
func (m *machine) peer(action, address string) *world.Process {
	m.t.Helper()
	p := world.Start(m.t, "peer "+action, func() *exec.Cmd { return m.inside(os.Args[0], "peer", action, address) })
	p.Says("ready", readyWithin)
	return p
}
