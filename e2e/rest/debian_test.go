package rest_test

import (
	"flag"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/checksums"
	"assimilation/discovery/kinds"
	"assimilation/discovery/packages"
	"assimilation/discovery/sshd"
	"assimilation/discovery/sysctl"
	"assimilation/discovery/systemd"
	"assimilation/e2e/world"
)

var debian = flag.String("root", "", "Debian root made by root.sh, booted and watched at rest")

// deed is what is done to the machine, and what its history must then say.
type deed struct {
	what   string
	line   string // of the machine's shell
	kind   discovery.Kind
	says   string
	within time.Duration // stated: at once, or the kind's interval with its jitter
	also   []string      // what else the same deed changes, in words
}

// byEvent is how long a change takes that the kernel tells of: the probe waits
// until a burst of events is over.
const byEvent = 30 * time.Second

// bySchedule is the longest time to the next collection.
func bySchedule(k discovery.Kind) time.Duration {
	return k.Interval + k.Interval/10 + byEvent
}

var deeds = []deed{
	{"package installed", "dpkg -i /var/tmp/hello.deb", packages.Kind, "hello 2.10-3 installed (amd64)", byEvent, []string{"command /usr/bin/hello appeared"}},
	{"sysctl set", "sysctl -w net.core.somaxconn=8192", sysctl.Kind, "net.core.somaxconn 4096 -> 8192", bySchedule(sysctl.Kind), nil},
	{"unit disabled", "systemctl disable cron.service", systemd.Kind, "unit cron.service enabled -> disabled", byEvent, nil},
	{"sshd option set", "echo PermitRootLogin no >/etc/ssh/sshd_config.d/10-rest.conf", sshd.Kind,
		"sshd PermitRootLogin prohibit-password -> no (/etc/ssh/sshd_config.d/10-rest.conf)", byEvent,
		[]string{"/etc/ssh/sshd_config.d/10-rest.conf: looked at from now on"}},
	{"binary modified", "cp -p /usr/sbin/sshd /usr/sbin/sshd.new && echo >>/usr/sbin/sshd.new && mv /usr/sbin/sshd.new /usr/sbin/sshd", checksums.Kind,
		"/usr/sbin/sshd: content changed (sha256 ", bySchedule(checksums.Kind), []string{"sshd runs files that were replaced"}},
}

// At rest nothing is sent; what is done then is in the history in time, in words,
// and nothing else.
func TestAHostAtRest(t *testing.T) {
	if *debian == "" {
		t.Skip("make e2e-rest gives this a Debian root to boot")
	}
	w := world.New(t, world.Options{})
	m := bootMachine(t, *debian, "measured")
	_, address := w.Relay(world.Node{Name: "relay", Listen: freeUDPAt(t, m.address)})
	_, token := w.Token("probe")
	pid := m.probe(w.Bin, token, address)
	w.HostUp("measured", time.Minute)
	settle(t, w)

	before := history(w)
	spent, execs := cpu(t, pid), children(t, pid)
	began := time.Now()
	t.Logf("%d facts of %d kinds were told; at rest for %v from now on", len(before), len(kindsIn(before)), *rest)
	<-time.After(*rest)
	passed := time.Since(began)
	after := history(w)
	t.Logf("facts sent %d; CPU %.2f s/h; RSS %s, anonymous %s; child processes seen %d", len(after)-len(before), (cpu(t, pid)-spent).Seconds()/passed.Hours(),
		field(t, pid, "status", "VmRSS"), field(t, pid, "status", "RssAnon"), children(t, pid)-execs)
	for id, c := range after {
		if _, known := before[id]; !known && !ofTheMachine(c) {
			t.Errorf("at rest %s %s changed: %s", c.kind, c.instance, c.text)
		}
	}
	act(t, w, m, after)
}

// act does the deeds and waits for their changes.
func act(t *testing.T, w *world.World, m *machine, before map[string]change) {
	done := map[string]time.Time{}
	longest := time.Duration(0)
	for _, d := range deeds {
		m.run("sh", "-ec", d.line)
		done[d.what] = time.Now()
		longest = max(longest, d.within)
	}
	told := map[string]time.Duration{}
	texts := map[string]string{}
	deadline := time.Now().Add(longest + time.Minute)
	for len(told) < len(deeds) && time.Now().Before(deadline) {
		<-time.After(time.Second)
		for id, c := range history(w) {
			if _, known := before[id]; known {
				continue
			}
			for _, d := range deeds {
				if _, already := told[d.what]; !already && c.kind == d.kind.Name && strings.Contains(c.text, d.says) {
					told[d.what], texts[d.what] = time.Since(done[d.what]), c.text
					t.Logf("| %s | %s | %.1f s of %v | %s |", d.what, d.kind.Name, told[d.what].Seconds(), d.within, c.text)
				}
			}
		}
	}
	for _, d := range deeds {
		took, is := told[d.what]
		if !is {
			t.Errorf("%s: no change of %s says %q", d.what, d.kind.Name, d.says)
			continue
		}
		if took > d.within {
			t.Errorf("%s: told after %v, which is more than %v", d.what, took, d.within)
		}
	}
	for id, c := range history(w) {
		if _, known := before[id]; known || ofTheMachine(c) || slices.ContainsFunc(deeds, func(d deed) bool {
			return c.kind == d.kind.Name && texts[d.what] == c.text || slices.ContainsFunc(d.also, func(words string) bool { return strings.Contains(c.text, words) })
		}) {
			continue
		}
		t.Errorf("nobody asked for this change of %s %s: %s", c.kind, c.instance, c.text)
	}
}

// change is one version of one fact.
type change struct{ kind, instance, text string }

// ofTheMachine reports a change of a loop device: the kernel has no namespaces for
// block devices, so that those of the test's own machine are seen.
func ofTheMachine(c change) bool {
	return c.kind == "disks" && strings.HasPrefix(c.text, "device loop")
}

// history is every version that the service holds, by what tells it from others.
func history(w *world.World) map[string]change {
	all := map[string]change{}
	for _, row := range w.Rows("changes", "--host", "measured", "--since", "24h", "--limit", "0") {
		c := change{fmt.Sprint(row["kind"]), fmt.Sprint(row["instance"]), fmt.Sprint(row["summary"])}
		all[fmt.Sprint(c.kind, "/", c.instance, " ", row["epoch"], " ", row["seq"])] = c
	}
	return all
}

func kindsIn(all map[string]change) []string {
	names := map[string]bool{}
	for _, c := range all {
		names[c.kind] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// settle waits until what a host says after its start was said: checksums are
// worked out within a budget, and an ephemeral UDP port counts after 30 s.
func settle(t *testing.T, w *world.World) {
	t.Helper()
	known, since := 0, time.Now()
	world.Eventually(t, 10*time.Minute, "a minute without a change", func() (bool, string) {
		if n := len(history(w)); n != known {
			known, since = n, time.Now()
		}
		return known > 0 && time.Since(since) > time.Minute, fmt.Sprint(known, " versions")
	})
	told := kindsIn(history(w))
	var silent []string
	for _, k := range kinds.All() {
		if !slices.Contains(told, k.Name) {
			silent = append(silent, k.Name)
		}
	}
	t.Logf("kinds that this host has nothing to say of: %s", strings.Join(silent, ", "))
}

// freeUDPAt finds a port that nobody listens on.
func freeUDPAt(t *testing.T, ip string) string {
	t.Helper()
	c, err := net.ListenPacket("udp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}
