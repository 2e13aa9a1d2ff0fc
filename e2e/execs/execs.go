// Package execs counts the programs that processes start, by the kernel's process
// events (linux/cn_proc.h), for tests and benchmarks. It needs root.
package execs

import (
	"encoding/binary"
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Of linux/connector.h and linux/cn_proc.h.
const (
	cnIdxProc   = 1
	cnValProc   = 1
	mcastListen = 1
	eventFork   = 1
	eventExec   = 2

	netlinkHeader   = 16
	connectorHeader = 20
	eventHeader     = 16
)

// Watch counts the programs that a set of processes and their descendants start.
type Watch struct {
	mu    sync.Mutex
	tree  map[int32]int32 // process -> the root that it descends from
	count map[int32]int
}

// New listens to the kernel's process events until the test ends.
func New(t testing.TB) *Watch {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_CONNECTOR)
	if err != nil {
		t.Fatalf("opening the process connector: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	// The reader looks whether it is to end.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		t.Fatal(err)
	}
	// A busy machine starts thousands of programs a second.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIdxProc}); err != nil {
		t.Fatalf("joining the process events: %v", err)
	}
	request := make([]byte, netlinkHeader+connectorHeader+4)
	binary.NativeEndian.PutUint32(request[0:], uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.NLMSG_DONE)
	binary.NativeEndian.PutUint32(request[netlinkHeader:], cnIdxProc)
	binary.NativeEndian.PutUint32(request[netlinkHeader+4:], cnValProc)
	binary.NativeEndian.PutUint16(request[netlinkHeader+16:], 4)
	binary.NativeEndian.PutUint32(request[netlinkHeader+connectorHeader:], mcastListen)
	if err := unix.Send(fd, request, 0); err != nil {
		t.Fatalf("asking for process events: %v", err)
	}
	e := &Watch{tree: map[int32]int32{}, count: map[int32]int{}}
	done, ended := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(done); <-ended })
	go func() {
		defer close(ended)
		buf := make([]byte, 4096) // of one event
		for {
			select {
			case <-done:
				return
			default:
			}
			n, _, err := unix.Recvfrom(fd, buf, 0)
			switch {
			case err == nil:
				e.event(buf[:n])
			case errors.Is(err, unix.ENOBUFS):
				t.Error("process events were lost")
			}
		}
	}()
	return e
}

func (e *Watch) event(b []byte) {
	const head = netlinkHeader + connectorHeader
	if len(b) < head+eventHeader+16 {
		return
	}
	field := func(i int) int32 { return int32(binary.NativeEndian.Uint32(b[head+eventHeader+4*i:])) }
	e.mu.Lock()
	defer e.mu.Unlock()
	switch binary.NativeEndian.Uint32(b[head:]) {
	case eventFork: // parent pid, parent tgid, child pid, child tgid
		if root, ok := e.tree[field(1)]; ok && field(2) == field(3) {
			e.tree[field(3)] = root
		}
	case eventExec: // pid, tgid
		if root, ok := e.tree[field(1)]; ok {
			e.count[root]++
		}
	}
}

// Of returns how many programs the process has started since it was first asked
// for.
func (e *Watch) Of(pid int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tree[int32(pid)] = int32(pid)
	return e.count[int32(pid)]
}

// Settle waits until everything that has happened so far is counted: until it has
// heard of a program that it starts itself.
func (e *Watch) Settle(t testing.TB) {
	t.Helper()
	marker := exec.Command("sh", "-c", "read -r go; exec true")
	gate, err := marker.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := marker.Start(); err != nil {
		t.Fatal(err)
	}
	before := e.Of(marker.Process.Pid)
	gate.Close() // the end of its input will do
	if err := marker.Wait(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); e.Of(marker.Process.Pid) == before; {
		if time.Now().After(deadline) {
			t.Fatal("the kernel's process events do not arrive")
		}
		runtime.Gosched()
	}
}
