package netns

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

// Fabric is a site of three switches with four hosts each, in two zones, and a
// relay beside them. Each switch is a namespace with a bridge, and speaks LLDP
// and CDP to its hosts by a real lldpd.
//
//	ours                relay          core
//	┌─────────┐       ┌────────┐     ┌───────┐     ┌─────────┐     ┌───────────┐
//	│ service ├───────┤up  eth0├─────┤r  up1 ├─────┤trunk p1-4├─────┤eth0 hosts │ switch 1, zone A
//	└─────────┘ WAN   └────────┘     │   up2 ├─ ...switch 2, zone B
//	                                 │   up3 ├─ ...switch 3, zone B
//	                                 └───────┘
type Fabric struct {
	Core         string // namespace of the bridge between the switches
	RelayNetns   string
	RelayAddress string // on the LAN, without port
	Service      string // the service's address, in our own namespace
	Switches     []*Switch

	t   testing.TB
	wan string // our end of the relay's uplink
}

// Switch is one of them.
type Switch struct {
	Number  int
	Netns   string
	Chassis string // the MAC that LLDP tells
	Name    string // what it calls itself
	Zone    string // the building and room of its LLDP-MED location
	Hosts   []*Wired

	management string // its own address
	control    string // lldpd's socket
	fabric     *Fabric
}

// Wired is a host at a port.
type Wired struct {
	Host
	Name   string
	Port   string // as the switch calls it
	Switch *Switch

	device string // the switch's end of the cable
}

// Names are words that occur nowhere else: what the switches tell of themselves
// and of where they stand.
type Names struct{ Switch, Port, Rack, Room string }

// NewFabric makes a fabric; it goes when the test ends. It needs root,
// lldpd and nft.
func NewFabric(t testing.TB, names Names) *Fabric {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	for program, from := range map[string]string{"lldpd": "lldpd", "nft": "nftables"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s: apt-get install %s", program, from)
		}
	}
	prefix := fmt.Sprintf("asf%x%d", os.Getpid(), labs.Add(1))
	lan := subnet(t)
	f := &Fabric{Core: prefix + "core", RelayNetns: prefix + "relay", RelayAddress: lan + ".1", Service: lan + ".253", t: t, wan: vethName(prefix, "w")}

	f.namespace(f.Core)
	f.bridge(f.Core)
	f.namespace(f.RelayNetns)
	f.cable(f.Core, "r", f.RelayNetns, "eth0")
	f.ip("-n " + f.RelayNetns + " addr add " + f.RelayAddress + "/25 dev eth0")
	f.ip("link add " + f.wan + " type veth peer name up netns " + f.RelayNetns)
	f.ip("addr add " + f.Service + "/30 dev " + f.wan)
	f.ip("link set " + f.wan + " up")
	f.ip("-n " + f.RelayNetns + " addr add " + lan + ".254/30 dev up")
	f.ip("-n " + f.RelayNetns + " link set dev up up")

	for i := 1; i <= 3; i++ {
		zone := "A"
		if i > 1 {
			zone = "B"
		}
		s := &Switch{
			Number: i, Netns: fmt.Sprintf("%ss%d", prefix, i), Chassis: fmt.Sprintf("02:00:00:00:%02x:01", i),
			Name: fmt.Sprintf("%s-%d", names.Switch, i), Zone: zone, management: fmt.Sprintf("%s.%d", lan, 100+i), fabric: f,
		}
		f.Switches = append(f.Switches, s)
		f.namespace(s.Netns)
		f.bridge(s.Netns)
		f.cable(f.Core, fmt.Sprintf("up%d", i), s.Netns, "trunk")
		f.ip("-n " + s.Netns + " link set trunk master br0")
		f.ip("-n " + s.Netns + " addr add " + s.management + "/25 dev br0")
		for j := 1; j <= 4; j++ {
			h := &Wired{Name: fmt.Sprintf("host%d%d", i, j), Port: fmt.Sprintf("%s0/%d", names.Port, j), Switch: s, device: fmt.Sprintf("p%d", j)}
			h.Netns, h.IP = fmt.Sprintf("%sh%d%d", prefix, i, j), fmt.Sprintf("%s.%d%d", lan, i, j)
			f.namespace(h.Netns)
			f.cable(s.Netns, h.device, h.Netns, "eth0")
			f.ip(fmt.Sprintf("-n %s link set %s address 02:00:00:00:%02x:%02x", s.Netns, h.device, i, j))
			f.ip("-n " + h.Netns + " addr add " + h.IP + "/25 dev eth0")
			s.Hosts = append(s.Hosts, h)
		}
		s.speak(names)
	}
	return f
}

// Hosts are those of all switches.
func (f *Fabric) Hosts() (all []*Wired) {
	for _, s := range f.Switches {
		all = append(all, s.Hosts...)
	}
	return all
}

// CutWAN takes the relay's way to the service away, and gives it back.
func (f *Fabric) CutWAN(cut bool) { f.ip("link set " + f.wan + " " + updown(!cut)) }

// CutRelay pulls the relay's own cable, and puts it back.
func (f *Fabric) CutRelay(cut bool) { f.ip("-n " + f.Core + " link set r " + updown(!cut)) }

// Power switches a switch off, and on again: every port loses its carrier.
func (s *Switch) Power(on bool) {
	s.fabric.ip("-n " + s.Netns + " link set trunk " + updown(on))
	for _, h := range s.Hosts {
		h.Cut(!on)
	}
}

// Cut pulls the host's cable, and puts it back.
func (h *Wired) Cut(cut bool) {
	h.Switch.fabric.ip("-n " + h.Switch.Netns + " link set " + h.device + " " + updown(!cut))
}

// Move plugs the host's cable into the port of another switch. It must not be a
// switch's first one: the switch is known by its address.
func (h *Wired) Move(to *Switch, port string, names Names) {
	from := h.Switch
	f := from.fabric
	device := "p" + strings.TrimPrefix(h.Name, "host")
	f.ip(fmt.Sprintf("-n %s link set %s netns %s name %s", from.Netns, h.device, to.Netns, device))
	f.ip("-n " + to.Netns + " link set " + device + " master br0 up")
	for i, other := range from.Hosts {
		if other == h {
			from.Hosts = append(from.Hosts[:i:i], from.Hosts[i+1:]...)
			break
		}
	}
	h.Switch, h.Port, h.device = to, names.Port+port, device
	to.Hosts = append(to.Hosts, h)
	world.Eventually(f.t, 30*time.Second, "lldpd noticing the new port", func() (bool, string) {
		out, err := to.tell("show", "interfaces", "ports", device)
		return err == nil && strings.Contains(out, device), out
	})
	to.name(h, names)
}

// Lose makes so many of 1000 datagrams that come in at the namespace be lost; 0
// ends it.
func (f *Fabric) Lose(namespace string, perMille int) {
	f.t.Helper()
	rules := "add table inet loss\ndelete table inet loss\n"
	if perMille > 0 {
		rules += "add table inet loss\nadd chain inet loss in { type filter hook input priority 0; }\n" +
			fmt.Sprintf("add rule inet loss in numgen random mod 1000 < %d drop\n", perMille)
	}
	f.nft(namespace, rules)
}

func updown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func (f *Fabric) ip(args string) {
	f.t.Helper()
	world.Run(f.t, nil, "ip", strings.Fields(args)...)
}

func (f *Fabric) nft(namespace, rules string) {
	f.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", namespace, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("nft in %s: %v: %s", namespace, err, out)
	}
}

func (f *Fabric) namespace(name string) {
	f.t.Helper()
	f.ip("netns add " + name)
	f.t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
			f.t.Errorf("removing namespace %s: %v: %s", name, err, out)
		}
	})
	f.ip("-n " + name + " link set lo up")
}

// bridge makes a namespace a switch. A Linux bridge floods what is sent to
// CDP's group address, a switch does not.
func (f *Fabric) bridge(namespace string) {
	f.t.Helper()
	f.ip("-n " + namespace + " link add br0 type bridge stp_state 0")
	f.ip("-n " + namespace + " link set br0 up")
	f.nft(namespace, "add table bridge l2\nadd chain bridge l2 forward { type filter hook forward priority 0; }\n"+
		"add rule bridge l2 forward ether daddr 01:00:0c:cc:cc:cc drop\n")
}

// cable connects two namespaces; the first end is a port of its bridge.
func (f *Fabric) cable(from, port, to, device string) {
	f.t.Helper()
	f.ip(fmt.Sprintf("-n %s link add %s type veth peer name %s netns %s", from, port, device, to))
	f.ip(fmt.Sprintf("-n %s link set %s master br0 up", from, port))
	f.ip(fmt.Sprintf("-n %s link set dev %s up", to, device))
}
