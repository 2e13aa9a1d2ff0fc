package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/internal/framestest"
	"assimilation/discovery/internal/netlab"
	"assimilation/discovery/internal/netlinktest"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/switchport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listening is a collector of the recorded laboratory, whose link 2 ("near") is
// up, that has listened since a time.
func listening(t *testing.T, since time.Time) *Collector {
	t.Helper()
	record, err := os.ReadFile("../../network/testdata/lab.netlink")
	if err != nil {
		t.Fatal(err)
	}
	c := New(func() (rtnetlink.Conn, error) { return netlinktest.Replay(string(record)) })
	c.since = since
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.readLinks(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "both", Collector: func(t *testing.T) discovery.Collector {
			c := listening(t, time.Now())
			c.table.note(2, lldpOf(1, "Gi1/0/17", 120, name("access-1.example"), framestest.TLV(4, []byte("to a rack")...), framestest.TLV(7, 0, 4, 0, 4),
				framestest.Org(0x0080c2, 1, 0, 10), framestest.Org(0x0080c2, 3, 0, 10, 4, 'c', 'o', 'r', 'e'),
				framestest.Org(0x00120f, 1, 3, 0x6c, 0, 0, 30), framestest.Org(0x0012bb, 2, 1, 0x40, 0x65, 0x6e),
				framestest.Org(0x0012bb, 3, 2, 10, 2, 'D', 'E', 28, 5, 'R', 'o', 'o', 'm', '7')), time.Now())
			c.table.note(2, cdpOf(1, "access-1", "Gi17", 180, framestest.CDPText(6, "lab 24P")), time.Now())
			return c
		}},
		discoverytest.Case{Name: "none", Collector: func(t *testing.T) discovery.Collector {
			return listening(t, time.Now().Add(-warmUp))
		}},
		discoverytest.Case{Name: "no-right", Degraded: discovery.NetRaw, Collector: func(t *testing.T) discovery.Collector {
			c := listening(t, time.Time{})
			c.failed = fmt.Errorf("listening: %w", unix.EPERM)
			return c
		}},
	)
}

func TestFirstFactWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Local()
		if _, err := c.Collect(t.Context()); !errors.Is(err, discovery.ErrNotYet) {
			t.Errorf("nobody listens: %v", err)
		}
		c = listening(t, time.Now())
		if facts, err := c.Collect(t.Context()); !errors.Is(err, discovery.ErrNotYet) || facts != nil {
			t.Errorf("nothing was heard: %v, %v", facts, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		told := time.Time{}
		go func() { _ = c.age(ctx, func() { told = time.Now() }) }()
		began := time.Now()
		time.Sleep(2 * warmUp)
		synctest.Wait()
		if told.Sub(began) != warmUp {
			t.Errorf("told after %v, want %v", told.Sub(began), warmUp)
		}
		if facts, err := c.Collect(t.Context()); err != nil || len(facts) != 1 {
			t.Errorf("a switch had its time: %v, %v", facts, err)
		}
		// What was waited for once is not waited for again.
		c.mu.Lock()
		c.table.note(2, lldpOf(1, "p1", 1), time.Now())
		c.table.forget(2)
		c.mu.Unlock()
		if facts, err := c.Collect(t.Context()); err != nil || len(facts) != 1 {
			t.Errorf("the link told, and lost its carrier: %v, %v", facts, err)
		}
		cancel()
		synctest.Wait()
	})
}

// A time to live that ends is told within it, and not polled for.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := listening(t, time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		var told []time.Duration
		began := time.Now()
		changed := func() { told = append(told, time.Since(began)) }
		go func() { _ = c.age(ctx, changed) }()
		synctest.Wait()
		hear := func(frame []byte) {
			c.update(changed, func(now time.Time) bool { return c.table.note(2, frame, now) })
		}
		hear(lldpOf(1, "p1", 120))
		if _, err := c.Collect(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(100 * time.Second)
		hear(lldpOf(1, "p1", 120))
		time.Sleep(time.Hour)
		cancel()
		synctest.Wait()
		if want := []time.Duration{0, 220 * time.Second}; !slices.Equal(told, want) {
			t.Errorf("told at %v, want %v", told, want)
		}
	})
}

// lab is a host with the link "near", and a switch with "far".
func lab(t *testing.T) (host, far *netlab.Net) {
	host, far = netlab.New(t), netlab.New(t)
	host.IP(t, "link add near address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:01:01 netns "+far.PID(), "link set near up")
	far.IP(t, "link set far up")
	return host, far
}

// watched runs a collector in the namespace, and returns how to wait for a fact.
func watched(t *testing.T, host *netlab.Net) (until func(what string, holds func([]kind.Port, error) bool)) {
	t.Helper()
	c := Local()
	ctx, cancel := context.WithCancel(context.Background())
	changed := make(chan struct{}, 1)
	var failed error
	ended := host.Go(t, func() {
		failed = c.Watch(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	})
	t.Cleanup(func() {
		cancel()
		<-ended
		if failed != nil {
			t.Error(failed)
		}
	})
	return func(what string, holds func([]kind.Port, error) bool) {
		t.Helper()
		limit := time.NewTimer(2 * time.Minute)
		defer limit.Stop()
		for {
			var facts []discovery.Fact
			var err error
			host.Do(func() { facts, err = c.Collect(context.Background()) })
			var body kind.Facts
			if len(facts) == 1 {
				if err := json.Unmarshal(facts[0].Body, &body); err != nil {
					t.Fatal(err)
				}
			}
			if !errors.Is(err, discovery.ErrNotYet) && holds(body.Ports, err) {
				return
			}
			select {
			case <-changed:
			case <-ended:
				t.Fatalf("watch ended: %v", failed)
			case <-limit.C:
				t.Fatalf("%s: not within two minutes: %+v, %v", what, body.Ports, err)
			}
		}
	}
}

func ports(names ...string) func([]kind.Port, error) bool {
	return func(got []kind.Port, _ error) bool {
		return slices.EqualFunc(got, names, func(p kind.Port, name string) bool { return p.Protocol+" "+p.Port == name })
	}
}

// TestWire sends frames over a real link and pulls its cable.
func TestWire(t *testing.T) {
	host, far := lab(t)
	until := watched(t, host)
	// Until listening has begun nobody hears.
	hear := func(what, device string, frame []byte, holds func([]kind.Port, error) bool) {
		t.Helper()
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				framestest.Send(t, far, device, frame)
				select {
				case <-stop:
					return
				case <-time.After(500 * time.Millisecond):
				}
			}
		}()
		until(what, holds)
		close(stop)
		<-stopped
	}
	hear("LLDP", "far", lldpOf(1, "Gi1", 3600, name("switch1")), ports("lldp Gi1"))
	hear("CDP of the same port", "far", cdpOf(1, "switch1", "Gi1", 250), ports("lldp+cdp Gi1"))
	hear("farewell", "far", lldpOf(1, "Gi1", 0), ports("cdp Gi1"))
	hear("contradiction", "far", cdpOf(2, "switch2", "Gi2", 250), func(got []kind.Port, err error) bool {
		_, degraded := errors.AsType[*discovery.Degraded](err)
		return len(got) == 0 && degraded
	})
	far.IP(t, "link set far down")
	until("carrier lost", func(got []kind.Port, err error) bool { return len(got) == 0 && err == nil })
	far.IP(t, "link set far up")
	hear("moved to another port", "far", lldpOf(1, "Gi7", 3600), ports("lldp Gi7"))
	hear("short", "far", lldpOf(2, "Gi8", 1), ports("lldp Gi7", "lldp Gi8"))
	until("short-lived is gone", ports("lldp Gi7"))
	// A link that comes later is listened to as well.
	host.IP(t, "link add near2 type veth peer name far2 netns "+far.PID(), "link set near2 up")
	far.IP(t, "link set far2 up")
	hear("second link", "far2", lldpOf(3, "Gi9", 3600), ports("lldp Gi7", "lldp Gi9"))
	host.IP(t, "link del near2")
	until("link removed", ports("lldp Gi7"))
}

// TestLLDPD listens to the real thing.
func TestLLDPD(t *testing.T) {
	for _, program := range []string{"lldpd", "lldpcli"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs lldpd (8)")
		}
	}
	host, far := lab(t)
	dir, err := os.MkdirTemp("", "lldpd") // lldpd gives up root's rights: not t.TempDir
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	control := filepath.Join(dir, "control")
	ctx, cancel := context.WithCancel(context.Background())
	var output strings.Builder
	command := exec.CommandContext(ctx, "lldpd", "-d", "-cc", "-l", "-M", "4", "-S", "a switch", "-P", "LAB-24P", "-m", "10.255.0.1", "-I", "far", "-u", control, "-O", "/dev/null")
	command.Cancel = func() error { return command.Process.Signal(unix.SIGTERM) }
	command.Stdout, command.Stderr = &output, &output
	far.Do(func() { err = command.Start() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = command.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	tell := func(words string) error {
		var out []byte
		var err error
		far.Do(func() {
			out, err = exec.Command("lldpcli", append([]string{"-u", control}, strings.Fields(words)...)...).CombinedOutput()
		})
		if err != nil {
			return fmt.Errorf("lldpcli %s: %w: %s", words, err, out)
		}
		return nil
	}
	for deadline := time.Now().Add(time.Minute); tell("show configuration") != nil; {
		if time.Now().After(deadline) {
			t.Fatal(tell("show configuration"))
		}
		<-time.After(100 * time.Millisecond)
	}
	for _, words := range []string{
		"configure system hostname switch1.lab.example", "configure lldp tx-interval 1",
		"configure ports far lldp portidsubtype local Gi0/1 description GigabitEthernet0/1",
		"configure ports far med location coordinate latitude 48.85667N longitude 2.35099E altitude 11 m datum WGS84",
		"configure ports far med location address country FR city Paris building DC1 floor 1 room Room1",
	} {
		if err := tell(words); err != nil {
			t.Fatal(err)
		}
	}
	until := watched(t, host)
	until("lldpd's port", func(got []kind.Port, _ error) bool {
		if len(got) != 1 || got[0].Protocol != "lldp+cdp" {
			return false
		}
		p := got[0]
		return p.Chassis == "mac 02:00:00:00:01:01" && p.Port == "Gi0/1" && p.Name == "switch1.lab.example" && p.Platform == "LAB-24P" &&
			slices.Equal(p.Management, []string{"10.255.0.1"}) && p.Latitude == "48.85667" && p.Longitude == "2.35099" && p.Altitude == "11 m" &&
			slices.Contains(p.Civic, kind.Civic{Element: "room", Value: "Room1"}) && p.PortDescription == "GigabitEthernet0/1"
	})
	cancel() // lldpd says goodbye for LLDP; what CDP said ends with its time
	until("farewell", func(got []kind.Port, _ error) bool { return len(got) == 0 || got[0].Protocol == "cdp" })
}
