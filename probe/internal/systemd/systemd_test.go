package systemd_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"assimilation/probe/internal/systemd"
)

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "20000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	n := systemd.FromEnvironment()
	if n.Interval() != 10*time.Second {
		t.Errorf("interval %v", n.Interval())
	}
	for _, c := range []struct {
		say  func() error
		want string
	}{{n.Ready, "READY=1"}, {n.Alive, "WATCHDOG=1"}, {n.Stopping, "STOPPING=1"}} {
		if err := c.say(); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		count, err := manager.Read(b)
		if err != nil || string(b[:count]) != c.want {
			t.Errorf("%q, %v, want %q", b[:count], err, c.want)
		}
	}
}

func TestOutsideSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "20000000")
	t.Setenv("WATCHDOG_PID", "1") // meant for another process
	n := systemd.FromEnvironment()
	if n.Interval() != 0 {
		t.Errorf("interval %v", n.Interval())
	}
	if err := n.Ready(); err != nil {
		t.Error(err)
	}
}
