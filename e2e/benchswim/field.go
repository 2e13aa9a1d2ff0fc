package benchswim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"assimilation/e2e/world"
)

// field is a crowd in its namespace, and what is known of it.
type field struct {
	name      string
	namespace string

	mu      sync.Mutex
	changed *sync.Cond
	ready   bool
	killed  map[string]time.Time
	deaths  []happening // that were told, of whom died and of others
}

// newField starts a crowd in a namespace.
func newField(b *testing.B, name, namespace string, size int, dir string) *field {
	b.Helper()
	f := &field{name: name, namespace: namespace, killed: map[string]time.Time{}}
	f.changed = sync.NewCond(&f.mu)
	f.nft(b, "add table inet swim\n"+
		"add set inet swim dead { type ipv4_addr; }\n"+
		"add chain inet swim in { type filter hook input priority 0; }\n"+
		"add rule inet swim in ip saddr @dead drop\n"+
		"add rule inet swim in ip daddr @dead drop\n")
	cmd := exec.Command("ip", "netns", "exec", namespace, os.Args[0], "crowd", name, fmt.Sprint(size), dir)
	// Not the limits that a probe sets its process.
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=8GiB", "GOGC=100", "GOMAXPROCS=2")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f.hear(lines.Bytes())
		}
	}()
	b.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			b.Errorf("ending the %s: %v", name, err)
		}
		force := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		defer force.Stop()
		<-read
		if err := cmd.Wait(); err != nil {
			b.Errorf("%s: %v", name, err)
		}
	})
	return f
}

func (f *field) hear(line []byte) {
	var h happening
	if err := json.Unmarshal(line, &h); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", f.name, line)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.Ready {
		f.ready = true
	} else {
		f.deaths = append(f.deaths, h)
	}
	f.changed.Broadcast()
}

func (f *field) nft(b *testing.B, rules string) {
	b.Helper()
	cmd := exec.Command("ip", "netns", "exec", f.namespace, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("nft in %s: %v: %s", f.namespace, err, out)
	}
}

// awaitReady waits until all nodes know of all.
func (f *field) awaitReady(b *testing.B) {
	b.Helper()
	if !f.wait(3*time.Minute, func() bool { return f.ready }) {
		b.Fatalf("%s: not all know of all", f.name)
	}
}

// wait waits until something holds; it is asked under the lock.
func (f *field) wait(within time.Duration, holds func() bool) bool {
	late := false
	timer := time.AfterFunc(within, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		late = true
		f.changed.Broadcast()
	})
	defer timer.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for !holds() && !late {
		f.changed.Wait()
	}
	return !late
}

// kill lets a host die, and returns how long it took until that was known.
func (f *field) kill(b *testing.B, victim string) time.Duration {
	b.Helper()
	at := time.Now()
	f.mu.Lock()
	f.killed[victim] = at
	f.mu.Unlock()
	f.nft(b, "add element inet swim dead { "+victim+" }\n")
	var known time.Time
	told := f.wait(time.Minute, func() bool {
		for _, d := range f.deaths {
			if when := time.Unix(0, d.At); f.credible(d) && (d.Victim == victim || d.Victim == "") && when.After(at) {
				known = when
				return true
			}
		}
		return false
	})
	if !told {
		b.Fatalf("%s: nobody noticed the death of %s within a minute", f.name, victim)
	}
	return known.Sub(at)
}

// credible reports whether a living one says that a host is dead. The dead hear
// nobody, and think the same of all.
func (f *field) credible(d happening) bool {
	_, dead := f.killed[d.Observer]
	return !dead && (d.Kind == "" || d.Kind == "host down")
}

// wrong counts hosts that were called dead and lived.
func (f *field) wrong() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	living, unnamed := map[string]bool{}, 0
	for _, d := range f.deaths {
		_, died := f.killed[d.Victim]
		switch {
		case d.Victim == "":
			unnamed++ // ours are told once for each
		case f.credible(d) && !died:
			living[d.Victim] = true
		}
	}
	return len(living) + max(0, unnamed-len(f.killed))
}

// ethernet is what a packet of loopback lacks, in bytes.
const ethernet = 14

// sent returns what the namespace's loopback has carried so far: bytes as they
// would be on a LAN, and packets.
func (f *field) sent(b *testing.B) (bytes, packets float64) {
	b.Helper()
	table := world.Run(b, nil, "ip", "netns", "exec", f.namespace, "cat", "/proc/net/dev")
	for line := range strings.Lines(table) {
		if counters, ok := strings.CutPrefix(strings.TrimSpace(line), "lo:"); ok {
			if _, err := fmt.Sscan(counters, &bytes, &packets); err != nil {
				b.Fatal(err)
			}
		}
	}
	return bytes + ethernet*packets, packets
}
