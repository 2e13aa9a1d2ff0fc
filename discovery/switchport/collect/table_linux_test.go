package collect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/internal/framestest"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/switchport"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	operUp   = 6
	operDown = 2
)

func wire(index int, name string) rtnetlink.Link {
	return rtnetlink.Link{Index: index, Name: name, Hardware: unix.ARPHRD_ETHER, Flags: unix.IFF_UP, OperState: operUp,
		MAC: framestest.MAC(fmt.Sprintf("02:00:00:00:00:%02x", index))}
}

func lldpOf(n int, port string, ttl uint16, more ...[]byte) []byte {
	return framestest.LLDP(fmt.Sprintf("02:00:00:00:01:%02x", n),
		append([][]byte{framestest.Port(fmt.Sprintf("02:00:00:00:01:%02x", n), port, ttl)}, more...)...)
}

func cdpOf(n int, device, port string, ttl byte, more ...[]byte) []byte {
	return framestest.CDP(fmt.Sprintf("02:00:00:00:01:%02x", n), 2, ttl,
		append([][]byte{framestest.CDPText(1, device), framestest.CDPText(3, port)}, more...)...)
}

func name(s string) []byte { return framestest.TLV(5, []byte(s)...) }

// seen is the table's ports, one word each.
func seen(t *table, now time.Time) string {
	ports, notes := t.current(now)
	var words []string
	for _, p := range ports {
		words = append(words, p.Interface+"="+p.Protocol+"/"+p.Chassis+"/"+p.Port)
	}
	return strings.Join(append(words, notes...), ", ")
}

const (
	one = "mac 02:00:00:00:01:01"
	two = "mac 02:00:00:00:01:02"
)

func TestAgeing(t *testing.T) {
	table := newTable()
	table.setLink(wire(2, "eth0"))
	if !table.note(2, lldpOf(1, "p1", 120), start) || table.note(2, lldpOf(1, "p1", 120), start.Add(30*time.Second)) {
		t.Error("the first frame is a change, the same again is none")
	}
	if got := table.deadline(start.Add(time.Hour)); !got.Equal(start.Add(150 * time.Second)) {
		t.Errorf("deadline is %v after the start", got.Sub(start))
	}
	if table.expire(start.Add(149*time.Second)) || seen(&table, start.Add(149*time.Second)) != "eth0=lldp/"+one+"/p1" {
		t.Errorf("before its end: %s", seen(&table, start.Add(149*time.Second)))
	}
	if !table.expire(start.Add(150*time.Second)) || seen(&table, start.Add(150*time.Second)) != "" {
		t.Errorf("after its end: %s", seen(&table, start.Add(150*time.Second)))
	}
	table.note(2, lldpOf(1, "p1", 120), start)
	if !table.note(2, lldpOf(1, "p1", 120, name("renamed")), start) || table.count != 1 {
		t.Error("another name of the same port is a change")
	}
	if !table.note(2, lldpOf(1, "p1", 0), start) || seen(&table, start) != "" || table.note(2, lldpOf(1, "p1", 0), start) {
		t.Errorf("after the farewell: %s", seen(&table, start))
	}
	table.note(2, cdpOf(1, "r1", "e0", 180), start)
	if !table.note(2, framestest.CDP("02:00:00:00:01:01", 2, 0, framestest.CDPText(1, "r1")), start) || table.count != 0 {
		t.Error("the farewell of CDP names no port")
	}
}

func TestLinks(t *testing.T) {
	links := []rtnetlink.Link{wire(2, "eth0"), wire(3, "eth1"), wire(4, "br0"), wire(5, "veth0"), wire(6, "veth1"), wire(7, "bond0"), wire(8, "eth0.5"), wire(9, "wg0")}
	links[2].Kind, links[3].Kind, links[4].Kind, links[5].Kind, links[6].Kind = "bridge", "veth", "veth", "bond", "vlan"
	links[3].Master = 4
	links[7].Hardware = unix.ARPHRD_NONE
	links[1].OperState = operDown
	table := newTable()
	table.setLinks(links)
	for _, l := range append(links, wire(99, "unknown")) {
		table.note(l.Index, lldpOf(1, "p1", 120), start)
	}
	if got := seen(&table, start); got != "eth0=lldp/"+one+"/p1, veth1=lldp/"+one+"/p1" {
		t.Errorf("heard by %s", got)
	}
	down := wire(2, "eth0")
	down.OperState = operDown
	if !table.setLink(down) || table.setLink(down) || seen(&table, start) != "veth1=lldp/"+one+"/p1" {
		t.Errorf("carrier lost: %s", seen(&table, start))
	}
	renamed := wire(6, "veth9")
	renamed.Kind = "veth"
	if !table.setLink(renamed) || seen(&table, start) != "veth9=lldp/"+one+"/p1" {
		t.Errorf("renamed: %s", seen(&table, start))
	}
	if !table.removeLink(6) || table.removeLink(6) || table.count != 0 {
		t.Errorf("removed: %s", seen(&table, start))
	}
	table.setLinks(links)
	table.note(2, lldpOf(1, "p1", 120), start)
	table.setLinks(links[1:])
	if table.count != 0 {
		t.Error("a link that is not in the list any more keeps its neighbour")
	}
}

// A cable between two links of the host is no switch.
func TestOwnFramesAreNobody(t *testing.T) {
	table := newTable()
	table.setLinks([]rtnetlink.Link{wire(2, "eth0"), wire(3, "eth1")})
	own := framestest.LLDP("02:00:00:00:00:03", framestest.Port("02:00:00:00:00:03", "eth1", 120))
	if table.note(2, own, start) || table.count != 0 {
		t.Error("the host is its own switch")
	}
}

func TestAgreement(t *testing.T) {
	management := framestest.TLV(8, 5, 1, 10, 0, 0, 1, 2, 0, 0, 0, 7, 0)
	sameManagement := framestest.CDPTLV(0x16, 0, 0, 0, 1, 1, 1, 0xcc, 0, 4, 10, 0, 0, 1)
	contradiction := "eth0: CDP of several devices and no LLDP, so none is known to be at the other end"
	for title, c := range map[string]struct {
		frames [][]byte
		want   string
	}{
		"both of one port":         {[][]byte{lldpOf(1, "p1", 120, name("a")), cdpOf(1, "b", "Gi1", 180)}, "eth0=lldp+cdp/" + one + "/p1"},
		"same name":                {[][]byte{lldpOf(1, "p1", 120, name("Core1.example")), cdpOf(9, "core1", "Gi1", 180)}, "eth0=lldp+cdp/" + one + "/p1"},
		"same name, with a serial": {[][]byte{lldpOf(1, "p1", 120, name("core1")), cdpOf(9, "core1(SN7)", "Gi1", 180)}, "eth0=lldp+cdp/" + one + "/p1"},
		"same management":          {[][]byte{cdpOf(9, "x", "Gi1", 180, sameManagement), lldpOf(1, "p1", 120, name("y"), management)}, "eth0=lldp+cdp/" + one + "/p1"},
		"same hardware address":    {[][]byte{lldpOf(1, "p1", 120, name("y")), cdpOf(9, "0200.0000.0101", "Gi1", 180)}, "eth0=lldp+cdp/" + one + "/p1"},
		"only pair, no words":      {[][]byte{lldpOf(1, "p1", 120), cdpOf(9, "x", "Gi1", 180)}, "eth0=lldp+cdp/" + one + "/p1"},
		"flooded by a bridge":      {[][]byte{lldpOf(1, "p1", 120, name("switch1")), cdpOf(9, "switch2", "Gi1", 180)}, "eth0=lldp/" + one + "/p1"},
		"own and flooded":          {[][]byte{lldpOf(1, "p1", 120, name("switch1")), cdpOf(9, "switch2", "Gi1", 180), cdpOf(8, "switch1", "Gi2", 180)}, "eth0=lldp+cdp/" + one + "/p1"},
		"two ports of one device":  {[][]byte{lldpOf(1, "p1", 120, name("switch1")), cdpOf(9, "switch1", "Gi1", 180), cdpOf(8, "switch1", "Gi2", 180)}, "eth0=lldp/" + one + "/p1"},
		"name that begins alike":   {[][]byte{lldpOf(1, "p1", 120, name("switch1")), cdpOf(9, "switch10", "Gi1", 180)}, "eth0=lldp/" + one + "/p1"},
		"two of LLDP":              {[][]byte{lldpOf(1, "p1", 120), lldpOf(2, "p1", 120), cdpOf(9, "x", "Gi1", 180)}, "eth0=lldp/" + one + "/p1, eth0=lldp/" + two + "/p1"},
		"CDP alone":                {[][]byte{cdpOf(9, "r1", "Gi1", 180)}, "eth0=cdp/name r1/Gi1"},
		"CDP of two":               {[][]byte{cdpOf(9, "r1", "Gi1", 180), cdpOf(8, "r2", "Gi1", 180)}, contradiction},
		"not a frame":              {[][]byte{lldpOf(1, "p1", 120), make([]byte, 60)}, "eth0=lldp/" + one + "/p1, eth0: not a CDP frame"},
	} {
		table := newTable()
		table.setLink(wire(2, "eth0"))
		for _, f := range c.frames {
			if !table.note(2, f, start) {
				t.Errorf("%s: %x is no change", title, f)
			}
		}
		if got := seen(&table, start); got != c.want {
			t.Errorf("%s: %s, want %s", title, got, c.want)
		}
	}
}

func TestOnlyCDPSays(t *testing.T) {
	table := newTable()
	table.setLink(wire(2, "eth0"))
	table.note(2, lldpOf(1, "p1", 120, name("core1"), framestest.Org(0x0080c2, 1, 0, 5)), start)
	table.note(2, cdpOf(1, "core1", "Gi1", 180, framestest.CDPText(6, "lab 24P"), framestest.CDPText(9, "VTP"), framestest.CDPTLV(0x0a, 0, 9),
		framestest.CDPTLV(0x0b, 1), framestest.CDPText(5, "Version 1")), start)
	ports, _ := table.current(start)
	if len(ports) != 1 {
		t.Fatal(ports)
	}
	p := ports[0]
	if p.Platform != "lab 24P" || p.VTPDomain != "VTP" || p.Duplex != "full" || p.Description != "Version 1" || p.VLAN != 5 || p.Port != "p1" {
		t.Errorf("%+v", p)
	}
}

func TestBounded(t *testing.T) {
	table := newTable()
	for link := range 40 {
		table.setLink(wire(link+2, fmt.Sprint("eth", link)))
	}
	changes := 0
	for link := range 40 {
		for i := range 2 * maxOfLink {
			if table.note(link+2, lldpOf(1, fmt.Sprint("p", i), 65535), start) {
				changes++
			}
		}
	}
	if len(table.heard[2]) != maxOfLink || table.count != maxSights || changes != maxSights+1 {
		t.Errorf("%d of a link, %d in all, %d changes", len(table.heard[2]), table.count, changes)
	}
	if got := seen(&table, start); !strings.HasSuffix(got, "more neighbours speak than 16 of a link or 256 of the host") {
		t.Error(got)
	}
	if got := seen(&table, start.Add(complain)); strings.Contains(got, "more neighbours") {
		t.Error("it is complained of for ever")
	}
}

func TestComplete(t *testing.T) {
	table := newTable()
	if !table.complete() {
		t.Error("a host without links waits for nothing")
	}
	down := wire(4, "eth2")
	down.OperState = operDown
	table.setLinks([]rtnetlink.Link{wire(2, "eth0"), wire(3, "eth1"), down})
	table.note(2, lldpOf(1, "p1", 120), start)
	if table.complete() {
		t.Error("eth1 did not tell yet")
	}
	table.note(3, cdpOf(1, "r1", "e0", 180), start)
	if !table.complete() {
		t.Error("both told")
	}
}

// Whatever strangers send, the table stays within its bounds, and its count is
// right.
func FuzzTable(f *testing.F) {
	f.Add(lldpOf(1, "p1", 120, name("a")), cdpOf(1, "a", "e0", 180), uint16(60))
	f.Add(lldpOf(1, "p1", 0), lldpOf(1, "p1", 3), uint16(4))
	f.Fuzz(func(t *testing.T, a, b []byte, seconds uint16) {
		table := newTable()
		table.setLinks([]rtnetlink.Link{wire(2, "eth0"), wire(3, "eth1")})
		now := start
		for _, frame := range [][]byte{a, b, a, b} {
			table.note(2, frame, now)
			table.note(3, frame, now)
			now = now.Add(time.Duration(seconds) * time.Second)
			ports, _ := table.current(now)
			count := 0
			for _, of := range table.heard {
				count += len(of)
			}
			if count != table.count || len(ports) > count {
				t.Fatalf("%d sights are counted as %d, and make %d ports", count, table.count, len(ports))
			}
		}
		ports, _ := table.current(now)
		if _, err := discovery.NewFact(kind.Kind, "", kind.Facts{Ports: ports}); err != nil {
			t.Fatal(err)
		}
	})
}
