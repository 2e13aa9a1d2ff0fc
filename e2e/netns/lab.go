// Package netns makes small networks of Linux network namespaces in which the
// real programs run as if on machines of their own.
//
//	 ours                 lan                    host 1        host 2
//	┌───────────┐  up   ┌────────────────┐     ┌────────┐    ┌────────┐
//	│ service   ├───────┤ relay    br0 ──┼─────┤ eth0   │    │ eth0   │
//	│ .uplink.1 │  veth │ .uplink.2  .1 ─┼─────┼────────┼────┤        │
//	└───────────┘       └────────────────┘     └────────┘    └────────┘
//
// The hosts reach the relay and each other, not the service.
package netns

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"assimilation/e2e/world"
)

// Lab is one such network.
type Lab struct {
	LAN     string // namespace of the bridge and the relay
	Gateway string // the relay's address on the LAN
	Service string // the service's address, in our own namespace
	Hosts   []Host
}

// Host is a namespace with one link.
type Host struct {
	Netns string
	IP    string
}

var labs atomic.Int32

// vethName is the name of a lab's link in our own namespace. It says what it is,
// so that probes of this machine take it for one that comes and goes.
func vethName(prefix, end string) string { return "veth" + prefix[3:] + end }

// subnet is the start of a network that nobody on this machine has: each lab has
// one address in our own namespace, and others may have labs at the same time.
func subnet(t testing.TB) string {
	t.Helper()
	taken, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		start := fmt.Sprintf("10.%d.%d", 64+rand.IntN(128), rand.IntN(256))
		if !slices.ContainsFunc(taken, func(a net.Addr) bool { return strings.HasPrefix(a.String(), start+".") }) {
			return start
		}
	}
	t.Fatal("no network is free between 10.64 and 10.191")
	return ""
}

// New makes a lab with n hosts; it goes when the test ends. It needs root.
func New(t testing.TB, n int) *Lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	// The process id keeps apart what two test processes make at once.
	prefix := fmt.Sprintf("asm%x%d", os.Getpid(), labs.Add(1))
	lan := subnet(t)
	l := &Lab{LAN: prefix, Gateway: lan + ".1", Service: lan + ".253"}
	ip := func(args string) { world.Run(t, nil, "ip", strings.Fields(args)...) }

	namespace := func(name string) {
		ip("netns add " + name)
		t.Cleanup(func() {
			if out, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
				t.Errorf("removing namespace %s: %v: %s", name, err, out)
			}
		})
		ip("-n " + name + " link set lo up")
	}
	namespace(l.LAN)
	ip("-n " + l.LAN + " link add br0 type bridge")
	ip("-n " + l.LAN + " addr add " + l.Gateway + "/25 dev br0")
	ip("-n " + l.LAN + " link set br0 up")

	up := vethName(prefix, "u")
	ip("link add " + up + " type veth peer name up netns " + l.LAN)
	ip("addr add " + l.Service + "/30 dev " + up)
	ip("link set " + up + " up")
	ip("-n " + l.LAN + " addr add " + lan + ".254/30 dev up")
	ip("-n " + l.LAN + " link set dev up up")

	for i := range n {
		h := Host{Netns: fmt.Sprintf("%sh%d", prefix, i+1), IP: fmt.Sprintf("%s.%d", lan, 11+i)}
		namespace(h.Netns)
		port := fmt.Sprintf("p%d", i+1)
		ip("-n " + l.LAN + " link add " + port + " type veth peer name eth0 netns " + h.Netns)
		ip("-n " + l.LAN + " link set " + port + " master br0 up")
		ip("-n " + h.Netns + " addr add " + h.IP + "/25 dev eth0")
		ip("-n " + h.Netns + " link set eth0 up")
		ip("-n " + h.Netns + " route add default via " + l.Gateway)
		l.Hosts = append(l.Hosts, h)
	}
	return l
}
