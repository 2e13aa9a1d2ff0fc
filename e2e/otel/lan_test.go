package otel

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"assimilation/e2e/world"
)

// lan is a switch with the relay's machine, which is ours, and hosts.
type lan struct {
	bridge string
	relay  string // address
	ports  map[string]string
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	n := os.Getpid() % 10_000
	l := &lan{bridge: fmt.Sprintf("ao%d", n), ports: map[string]string{}}
	subnet := fmt.Sprintf("10.%d.%d", 200+n%50, n/50%250)
	l.relay = subnet + ".1"
	ip(t, "link", "add", l.bridge, "type", "bridge")
	t.Cleanup(func() { exec.Command("ip", "link", "del", l.bridge).Run() })
	ip(t, "addr", "add", l.relay+"/24", "dev", l.bridge)
	ip(t, "link", "set", l.bridge, "up")
	return l
}

// host makes a network namespace that is a host's, and returns its name.
func (l *lan) host(t *testing.T, name string) string {
	t.Helper()
	netns, port := l.bridge+"-"+name, fmt.Sprintf("%s.%d", l.bridge, len(l.ports))
	ip(t, "netns", "add", netns)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", netns).Run() })
	ip(t, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", netns)
	ip(t, "link", "set", port, "master", l.bridge, "up")
	l.ports[name] = port
	ip(t, "-n", netns, "link", "set", "lo", "up")
	ip(t, "-n", netns, "link", "set", "eth0", "up")
	ip(t, "-n", netns, "addr", "add", fmt.Sprintf("%s%d/24", l.relay, len(l.ports)), "dev", "eth0")
	return netns
}

// cut takes a host's cable out: nothing of it answers any more.
func (l *lan) cut(t *testing.T, name string) {
	t.Helper()
	ip(t, "link", "set", l.ports[name], "down")
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	world.Run(t, nil, "ip", args...)
}
