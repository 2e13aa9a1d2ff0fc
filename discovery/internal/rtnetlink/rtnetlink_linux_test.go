package rtnetlink

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/netlink"
)

func TestPrivateLinks(t *testing.T) {
	links := []Link{
		{Index: 1, Name: "lo"},
		{Index: 2, Name: "eth0"},
		{Index: 3, Name: "docker0", Kind: "bridge"},
		{Index: 4, Name: "veth1", Kind: "veth", Master: 3, Parent: 9},
		{Index: 5, Name: "br0", Kind: "bridge"},
		{Index: 6, Name: "eth1", Master: 5},
		{Index: 7, Name: "tap0", Kind: "tun", Master: 5},
		{Index: 8, Name: "docker0.5", Kind: "vlan", Parent: 3},
		{Index: 9, Name: "veth2", Kind: "veth", Parent: 4},
		{Index: 10, Name: "empty", Kind: "bridge"},
		{Index: 11, Name: "br0.5", Kind: "vlan", Parent: 5},
		{Index: 12, Name: "a", Kind: "macvlan", Parent: 13},
		{Index: 13, Name: "b", Kind: "macvlan", Parent: 12},
		{Index: 14, Name: "on the VLAN", Kind: "macvlan", Parent: 8},
		{Index: 15, Name: "br1", Kind: "bridge"},
		{Index: 16, Name: "vx", Kind: "vxlan", Master: 15},
	}
	got := slices.Sorted(maps.Keys(PrivateLinks(links)))
	if want := []int{3, 8, 10, 14}; !slices.Equal(got, want) {
		t.Errorf("private are %v, want %v", got, want)
	}
}

type interrupted struct{ times, calls int }

func (c *interrupted) Close() error { return nil }
func (c *interrupted) Execute(netlink.Message) ([]netlink.Message, error) {
	m := netlink.Message{Header: netlink.Header{Type: unix.RTM_NEWLINK}, Data: make([]byte, unix.SizeofIfInfomsg)}
	if c.calls++; c.calls <= c.times {
		m.Header.Flags = netlink.DumpInterrupted
	}
	return []netlink.Message{m}, nil
}

func TestDumpInterrupted(t *testing.T) {
	if links, err := Links(&interrupted{times: dumpAttempts - 1}); err != nil || len(links) != 1 {
		t.Errorf("%v, %v", links, err)
	}
	if _, err := Links(&interrupted{times: dumpAttempts}); err == nil {
		t.Error("a table that changed during each attempt is taken as read")
	}
}

func TestShortMessages(t *testing.T) {
	for size := range 8 {
		b := make([]byte, size)
		if _, err := ParseAddress(b); !errors.Is(err, errShort) {
			t.Errorf("address of %d bytes: %v", size, err)
		}
		if _, err := ParseLink(b); !errors.Is(err, errShort) {
			t.Errorf("link of %d bytes: %v", size, err)
		}
		if _, err := ParseRoute(b); !errors.Is(err, errShort) {
			t.Errorf("route of %d bytes: %v", size, err)
		}
		if _, err := ParseNeighbour(b); !errors.Is(err, errShort) {
			t.Errorf("neighbour of %d bytes: %v", size, err)
		}
	}
}

// FuzzParse gives the same bytes to all parsers; they must not panic, and what
// they accept must be printable.
func FuzzParse(f *testing.F) {
	attr := func(kind uint16, data ...byte) []byte {
		return append([]byte{byte(4 + len(data)), 0, byte(kind), byte(kind >> 8)}, data...)
	}
	f.Add(append(make([]byte, unix.SizeofIfInfomsg), slices.Concat(attr(unix.IFLA_LINKINFO, attr(unix.IFLA_INFO_KIND, 'v', 'e', 't', 'h')...), attr(unix.IFLA_MTU, 1, 2, 3, 4))...))
	f.Add(append([]byte{unix.AF_INET, 24, 0x80, 0, 1, 0, 0, 0}, attr(unix.IFA_LOCAL, 10, 0, 0, 1)...))
	f.Add(append([]byte{unix.AF_INET, 16, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0}, slices.Concat(
		attr(unix.RTA_DST, 10, 0, 0, 0), attr(unix.RTA_MULTIPATH, append([]byte{16, 0, 0, 1, 2, 0, 0, 0}, attr(unix.RTA_GATEWAY, 10, 0, 0, 1)...)...))...))
	f.Add(append([]byte{unix.AF_INET6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1}, slices.Concat(
		attr(unix.NDA_DST, make([]byte, 16)...), attr(unix.NDA_LLADDR, 2, 0, 0, 0, 0, 1))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseLink(b); err == nil {
			_ = l.HardwareName() + l.OperStateName() + l.MAC.String()
		}
		if a, err := ParseAddress(b); err == nil && !a.IP.IsValid() {
			t.Errorf("address without address: %+v", a)
		}
		if r, err := ParseRoute(b); err == nil {
			if known := r.Family == unix.AF_INET || r.Family == unix.AF_INET6; known != r.Destination.IsValid() {
				t.Errorf("route to %v of family %d", r.Destination, r.Family)
			}
			_ = r.TypeName() + r.ProtocolName() + ScopeName(r.Scope) + r.FamilyName()
		}
		if n, err := ParseNeighbour(b); err == nil {
			_ = n.IP.String() + n.MAC.String()
		}
	})
}
