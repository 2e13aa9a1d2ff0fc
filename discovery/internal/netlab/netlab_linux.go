package netlab

import (
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Net is a network namespace of its own.
type Net struct {
	work chan func()
	tid  int
}

// New returns a namespace with only a loopback, which is up. It skips the test
// where namespaces may not be made or ip(8) is missing.
func New(t testing.TB) *Net {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip(8) of iproute2")
	}
	n := &Net{work: make(chan func())}
	ready := make(chan error)
	go func() {
		// Never unlocked: the thread, and with it the namespace, ends here.
		runtime.LockOSThread()
		n.tid = unix.Gettid()
		ready <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range n.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		close(n.work)
		t.Skipf("needs the right to make a network namespace: %v", err)
	}
	t.Cleanup(func() { close(n.work) })
	n.IP(t, "link set lo up")
	return n
}

// Do runs f in the namespace and waits for it. Sockets that f opens, and
// processes that it starts, belong to the namespace for good.
func (n *Net) Do(f func()) {
	done := make(chan struct{})
	n.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

// Go runs f in the namespace beside everything else; the channel is closed when
// f returns.
func (n *Net) Go(t testing.TB, f func()) <-chan struct{} {
	t.Helper()
	entered, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked, as above
		fd, err := unix.Open("/proc/self/task/"+n.PID()+"/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		entered <- err
		if err == nil {
			f()
		}
	}()
	if err := <-entered; err != nil {
		t.Fatalf("entering the namespace: %v", err)
	}
	return done
}

// PID names the namespace to "ip link set ... netns".
func (n *Net) PID() string { return strconv.Itoa(n.tid) }

// IP runs ip(8) with the words of each line.
func (n *Net) IP(t testing.TB, lines ...string) {
	t.Helper()
	for _, line := range lines {
		n.Run(t, "ip "+line)
	}
}

// Run runs a command in the namespace and returns what it prints.
func (n *Net) Run(t testing.TB, line string) []byte {
	t.Helper()
	words := strings.Fields(line)
	var out []byte
	var err error
	n.Do(func() { out, err = exec.Command(words[0], words[1:]...).CombinedOutput() })
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return out
}
