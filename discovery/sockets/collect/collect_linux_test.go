package collect

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/internal/sockdiag"
	kind "assimilation/discovery/sockets"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		beChild(what)
		return
	}
	goleak.VerifyTestMain(m)
}

const tcp, udp = sockdiag.TCP, sockdiag.UDP

func TestSuite(t *testing.T) {
	webserver := func(t *testing.T) *host {
		h := newHost(t)
		h.listen(tcp, "0.0.0.0:80", 10)
		h.listen(tcp, "[::]:443", 11)
		h.listen(tcp, "[::]:8443", 12).V6Only = true
		h.listen(tcp, "127.0.0.1:5432", 13)
		h.listen(udp, "10.1.0.1:53", 14)
		h.listen(tcp, "0.0.0.0:2049", 0)
		h.connect(tcp, "10.1.0.1:80", "10.1.0.2:40000", 20)
		h.connect(tcp, "127.0.0.1:5432", "127.0.0.1:40001", 21)
		h.connect(tcp, "127.0.0.1:40001", "127.0.0.1:5432", 22)
		h.connect(tcp, "172.17.0.1:40002", "172.17.0.2:6379", 23)
		h.process(100, "/usr/sbin/nginx", 0, []string{"nginx: master process /usr/sbin/nginx -g daemon on;"}, 10, 11, 12)
		for pid := 101; pid < 105; pid++ {
			h.process(pid, "/usr/sbin/nginx (deleted)", 33, []string{"nginx: worker process", "", ""}, 10, 11, 12, 20)
		}
		h.process(200, "/usr/lib/postgresql/17/bin/postgres", 100, []string{"postgres", "-D", "/var/lib/postgresql"}, 13, 21)
		h.process(300, "/usr/bin/app", 1000, []string{"app", "--password", "hunter2"}, 22, 23)
		h.file("300/cgroup", "0::/docker/"+strings.Repeat("ab", 32)+"\n")
		h.process(400, "/usr/sbin/dnsmasq", 1001, nil, 14)
		return h
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "webserver", Collector: func(t *testing.T) discovery.Collector { return webserver(t).collector() }},
		discoverytest.Case{Name: "idle", Collector: func(t *testing.T) discovery.Collector { return newHost(t).collector() }},
		discoverytest.Case{Name: "unprivileged", Degraded: discovery.SysPtrace, Collector: func(t *testing.T) discovery.Collector {
			h := newHost(t)
			h.file("self/status", "Name:\tprobe\nCapEff:\t0000000000000000\n")
			return h.collector()
		}},
	)
}

// poll collects and writes each endpoint as a line.
func poll(t *testing.T, c *Collector) []string {
	t.Helper()
	facts, err := c.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range body.Services {
		for _, l := range s.Listens {
			out = append(out, fmt.Sprintf("%s listens %s %s:%d", s.Name, l.Protocol, l.IP, l.Port))
		}
		for _, c := range s.Connects {
			out = append(out, fmt.Sprintf("%s connects %s %s:%d", s.Name, c.Protocol, c.IP, c.Port))
		}
	}
	return out
}

func expect(t *testing.T, when string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", when, got, want)
	}
}

func TestProcessesAreReadForNewSocketsOnly(t *testing.T) {
	h := newHost(t)
	h.listen(tcp, "10.1.0.1:80", 10)
	h.process(100, "/bin/a", 0, []string{"a"}, 10)
	c := h.collector()
	expect(t, "first", poll(t, c), "a listens tcp 10.1.0.1:80")
	for range 5 {
		h.now = h.now.Add(kind.PollListeners)
		poll(t, c)
	}
	if h.scans != 1 {
		t.Errorf("%d scans for one socket", h.scans)
	}
	h.listen(tcp, "10.1.0.1:81", 11)
	h.process(101, "/bin/b", 0, []string{"b"}, 11)
	expect(t, "another", poll(t, c), "a listens tcp 10.1.0.1:80", "b listens tcp 10.1.0.1:81")
	if h.scans != 2 {
		t.Errorf("%d scans for two sockets", h.scans)
	}
	h.kill(100)
	h.process(102, "/bin/heir", 0, []string{"heir"}, 10)
	h.now = h.now.Add(refreshOwners)
	expect(t, "handed over", poll(t, c), "b listens tcp 10.1.0.1:81", "heir listens tcp 10.1.0.1:80")
	h.close(11)
	h.now = h.now.Add(pollConnections)
	expect(t, "closed", poll(t, c), "heir listens tcp 10.1.0.1:80")
	if len(c.owners.holders) != 1 {
		t.Errorf("closed sockets are remembered: %v", c.owners.holders)
	}
}

func TestHolderIsLookedForTwice(t *testing.T) {
	h := newHost(t)
	h.listen(tcp, "10.1.0.1:80", 10)
	h.listen(tcp, "10.1.0.1:81", 11).UID = 7
	c := h.collector()
	expect(t, "nobody yet", poll(t, c))
	h.process(100, "/bin/late", 0, []string{"late"}, 10)
	expect(t, "second try", poll(t, c), "unknown listens tcp 10.1.0.1:81", "late listens tcp 10.1.0.1:80")
	poll(t, c)
	if h.scans != maxTries {
		t.Errorf("%d scans", h.scans)
	}
	h.process(101, "/bin/later", 0, []string{"later"}, 11)
	h.now = h.now.Add(refreshOwners)
	expect(t, "a minute later", poll(t, c), "late listens tcp 10.1.0.1:80", "later listens tcp 10.1.0.1:81")
}

func TestClients(t *testing.T) {
	h := newHost(t)
	h.listen(tcp, "0.0.0.0:80", 10)
	h.process(100, "/bin/server", 0, []string{"server"}, 10, 20)
	h.process(200, "/bin/client", 0, []string{"client"}, 30)
	h.connect(tcp, "10.1.0.1:80", "10.1.0.2:50000", 20)
	h.connect(tcp, "10.1.0.1:50001", "10.1.0.2:443", 30)
	c := h.collector()
	all := func(more ...string) []string {
		return append([]string{"client connects tcp 10.1.0.2:443"}, more...)
	}
	server := []string{}
	for _, line := range poll(t, c) {
		if strings.HasPrefix(line, "server") {
			server = append(server, line)
			if strings.Contains(line, "connects") {
				t.Errorf("an accepted connection is a client: %s", line)
			}
		}
	}
	h.close(10)
	h.now = h.now.Add(pollConnections)
	expect(t, "the listener is gone, its connection is not", poll(t, c), all()...)
	h.close(20)
	h.close(30)
	h.kill(200)
	h.now = h.now.Add(kind.KeepClient - time.Second)
	expect(t, "a day later", poll(t, c), all()...)
	h.now = h.now.Add(time.Minute)
	expect(t, "forgotten", poll(t, c))
	if len(server) < 2 {
		t.Errorf("wildcard listener at %v", server)
	}
}

func TestClientsAreBounded(t *testing.T) {
	h := newHost(t)
	h.process(200, "/bin/crawler", 0, []string{"crawler"}, 30)
	for i := range maxClients + 100 {
		h.connect(tcp, "10.1.0.1:50001", fmt.Sprintf("10.%d.%d.%d:443", 2+i>>16, i>>8&255, i&255), 30)
	}
	c := h.collector()
	if _, err := c.Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "too many client connections") {
		t.Errorf("error is %v", err)
	}
	if n := len(c.clients.seen); n > maxClients {
		t.Errorf("%d clients", n)
	}
}

func TestEphemeralUDP(t *testing.T) {
	h := newHost(t)
	h.listen(udp, "10.1.0.1:40000", 10)
	h.listen(udp, "10.1.0.1:514", 11)
	h.connect(udp, "10.1.0.1:40001", "10.1.0.2:53", 12)
	h.process(100, "/bin/a", 0, []string{"a"}, 10, 11, 12)
	c := h.collector()
	expect(t, "first", poll(t, c), "a listens udp 10.1.0.1:514")
	h.now = h.now.Add(standUDP)
	expect(t, "stood", poll(t, c), "a listens udp 10.1.0.1:514", "a listens udp 10.1.0.1:40000", "a connects udp 10.1.0.2:53")
}

func TestWildcards(t *testing.T) {
	h := newHost(t)
	h.listen(tcp, "[::]:80", 10)
	h.listen(tcp, "0.0.0.0:80", 11)
	h.process(100, "/bin/a", 0, []string{"a"}, 10, 11)
	got := poll(t, h.collector())
	for _, want := range []string{"a listens tcp 127.0.0.1:80", "a listens tcp ::1:80", "a listens tcp 10.1.0.1:80", "a listens tcp 172.17.0.1:80", "a listens tcp fd01::1:80"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	h.sockets = nil
	h.listen(tcp, "[::]:80", 10).V6Only = true
	if got := poll(t, h.collector()); len(got) == 0 || slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, ".") }) {
		t.Errorf("an IPv6-only listener is at %q", got)
	}
	h.sockets = nil
	h.listen(tcp, "0.0.0.0:80", 10).Device = 1
	expect(t, "bound to lo", poll(t, h.collector()), "a listens tcp 127.0.0.1:80")
}

// A host that always has more connections than are remembered says so at every
// poll: a problem that comes and goes is news each time.
func TestTooManyClientsIsSaidSteadily(t *testing.T) {
	h := newHost(t)
	inodes := make([]uint32, 2*maxClients)
	for i := range inodes {
		inodes[i] = uint32(i + 100)
		h.connect(sockdiag.TCP, fmt.Sprintf("10.0.0.5:%d", 1024+i), fmt.Sprintf("10.1.%d.%d:443", i/250, i%250+1), inodes[i])
	}
	h.process(7, "/usr/bin/proxy", 0, []string{"proxy"}, inodes...)
	c := h.collector()
	for poll := range 12 {
		if _, err := c.Collect(t.Context()); err == nil {
			t.Fatalf("poll %d does not say that clients are left out", poll)
		}
		h.now = h.now.Add(kind.PollListeners)
	}
}
