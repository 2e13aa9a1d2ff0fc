package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/netlab"
	kind "assimilation/discovery/sockets"
)

func collectIn(t *testing.T, lab *netlab.Net, c *Collector) (discovery.Fact, kind.Facts) {
	t.Helper()
	var facts []discovery.Fact
	var err error
	lab.Do(func() { facts, err = c.Collect(context.Background()) })
	if err != nil {
		t.Fatal(err)
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	return facts[0], body
}

// TestAgainstSS holds the listeners against ss(8).
func TestAgainstSS(t *testing.T) {
	if _, err := exec.LookPath("ss"); err != nil {
		t.Skip("needs ss(8) of iproute2")
	}
	lab := netlab.New(t)
	lab.IP(t, "addr add 10.1.0.1/24 dev lo", "addr add fd01::1/64 dev lo nodad")
	start(t, lab, "listen tcp4 0.0.0.0:80;listen tcp6 [::]:81;listen tcp :82;listen tcp 127.0.0.1:83;listen tcp [fd01::1]:84")
	start(t, lab, "listen udp4 0.0.0.0:90;listen udp6 [::]:91;listen udp :92;listen udp 10.1.0.1:93")
	_, body := collectIn(t, lab, Local())
	seen := map[string]bool{}
	for _, s := range body.Services {
		for _, l := range s.Listens {
			ip := l.IP
			if l.Wildcard != "" {
				ip = l.Wildcard
			}
			seen[fmt.Sprintln(l.Protocol, net.JoinHostPort(ip, fmt.Sprint(l.Port)), s.Name)] = true
		}
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(lab.Run(t, "ss -Htulnp"))) {
		f := strings.Fields(line)
		_, users, _ := strings.Cut(f[6], `(("`)
		name, _, _ := strings.Cut(users, `"`)
		want[fmt.Sprintln(f[0], strings.Replace(f[4], "*", "[::]", 1), name)] = true
	}
	if len(want) != 9 {
		t.Errorf("ss lists %d sockets", len(want))
	}
	for line := range want {
		if !seen[line] {
			t.Errorf("missing: %s", line)
		}
	}
	for line := range seen {
		if !want[line] {
			t.Errorf("too much: %s", line)
		}
	}
	all := map[int64][]string{}
	for _, s := range body.Services {
		for _, l := range s.Listens {
			all[l.Port] = append(all[l.Port], l.IP)
		}
	}
	v4, v6 := []string{"10.1.0.1", "127.0.0.1"}, []string{"::1", "fd01::1"}
	for port, want := range map[int64][]string{80: v4, 81: v6, 82: append(slices.Clone(v4), v6...), 90: v4, 91: v6, 92: append(slices.Clone(v4), v6...)} {
		if !slices.Equal(all[port], want) {
			t.Errorf("port %d is at %v, want %v", port, all[port], want)
		}
	}
}

// TestTwoHosts connects a client in one namespace with a server in another.
func TestTwoHosts(t *testing.T) {
	near, far := netlab.New(t), netlab.New(t)
	near.IP(t, "link add near type veth peer name far netns "+far.PID(), "link set near up", "addr add 10.1.0.1/24 dev near")
	far.IP(t, "link set far up", "addr add 10.1.0.2/24 dev far")
	start(t, far, "listen tcp 10.1.0.2:7000", "server")
	start(t, near, "dial tcp 10.1.0.2:7000;listen tcp 127.0.0.1:7001;dial tcp 127.0.0.1:7001", "client")
	_, body := collectIn(t, near, Local())
	connect := func(ip string, port int64) kind.Connect { return kind.Connect{Protocol: "tcp", IP: ip, Port: port} }
	if len(body.Services) != 1 || !slices.Equal(body.Services[0].Connects, []kind.Connect{connect("10.1.0.2", 7000), connect("127.0.0.1", 7001)}) {
		t.Errorf("the client's host says %+v", body)
	}
	_, body = collectIn(t, far, Local())
	if len(body.Services) != 1 || len(body.Services[0].Connects) != 0 || len(body.Services[0].Listens) != 1 {
		t.Errorf("the server's host says %+v", body)
	}
	if argv := body.Services[0].Argv; len(argv) != 2 || argv[1] != "server" {
		t.Errorf("server's arguments are %q", argv)
	}
}

// TestNoSecretLeaves starts processes with a canary on their command line.
func TestNoSecretLeaves(t *testing.T) {
	const canary = "cAnArY-7f3a"
	lab := netlab.New(t)
	for i, argv := range [][]string{
		{"--password", canary}, {"--password=" + canary}, {"-password", canary}, {"-p", canary}, {"PGPASSWORD=" + canary},
		{"mysql", "-p" + canary}, {"--api-key", canary}, {"--token", canary}, {"--client-secret=" + canary}, {"--credential", canary},
		{"postgres://me:" + canary + "@db/x"}, {"-u", "me:" + canary}, {"sh", "-c", "PASSWORD='" + canary + "' run"},
		{"-H", "Authorization: Bearer " + canary}, {`{"password": "` + canary + `"}`}, {"--use-token-auth", "--password", canary},
	} {
		start(t, lab, fmt.Sprint("listen tcp 127.0.0.1:", 7000+i), argv...)
	}
	fact, body := collectIn(t, lab, Local())
	if strings.Contains(string(fact.Body), canary) {
		t.Errorf("the canary is in %s", fact.Body)
	}
	listens := 0
	for _, s := range body.Services {
		listens += len(s.Listens)
		if len(s.Argv) < 2 || !strings.Contains(strings.Join(s.Argv, " "), "***") {
			t.Errorf("arguments are %q", s.Argv)
		}
	}
	if listens != 16 {
		t.Errorf("%d listeners", listens)
	}
}

// BenchmarkPoll has 500 processes more than the host. "rest" finds nothing new,
// "new listener" must look for the process of a new socket each time.
func BenchmarkPoll(b *testing.B) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		b.Skip("needs sleep(1)")
	}
	for range 500 {
		cmd := exec.Command(sleep, "infinity")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, before func(*testing.B)) {
		b.Run(name, func(b *testing.B) {
			c := Local()
			if _, err := c.Collect(b.Context()); err != nil {
				b.Fatal(err)
			}
			spent := cpu(b)
			for b.Loop() {
				if before != nil {
					before(b)
				}
				if _, err := c.Collect(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu(b)-spent).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(len(processes)), "processes")
		})
	}
	run("rest", nil)
	var last net.Listener
	run("new listener", func(b *testing.B) {
		if last != nil {
			last.Close()
		}
		if last, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			b.Fatal(err)
		}
	})
	last.Close()
}

func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
