package rtnetlink

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Route is one route.
type Route struct {
	Family      uint8
	Table       int64
	Destination netip.Prefix
	NextHop     NextHop // of a route with one leg
	NextHops    []NextHop
	Source      netip.Addr // preferred source, or the zero Addr
	Metric      int64
	Protocol    uint8
	Scope       uint8
	Type        uint8
	Cached      bool // RTM_F_CLONED: an entry of the cache
}

// NextHop is one leg of a route.
type NextHop struct {
	Gateway netip.Addr // or the zero Addr
	Link    int        // index, 0 for none
	Weight  int64
}

// Routes dumps the routes of one family, unix.AF_INET or AF_INET6, of all
// tables.
func Routes(conn Conn, family uint8) ([]Route, error) {
	body := make([]byte, unix.SizeofRtMsg)
	body[0] = family
	return dumpAll(conn, unix.RTM_GETROUTE, unix.RTM_NEWROUTE, body, ParseRoute)
}

// ParseRoute reads the body of an RTM_NEWROUTE message. Of a family that is
// neither IPv4 nor IPv6 (multicast routing, MPLS) it reads the family only.
func ParseRoute(b []byte) (Route, error) {
	if len(b) < unix.SizeofRtMsg {
		return Route{}, errShort
	}
	bits := int(b[1])
	r := Route{
		Family: b[0], Table: int64(b[4]), Protocol: b[5], Scope: b[6], Type: b[7],
		Cached: binary.NativeEndian.Uint32(b[8:])&unix.RTM_F_CLONED != 0,
	}
	var destination netip.Addr
	switch r.Family {
	case unix.AF_INET:
		destination = netip.IPv4Unspecified()
	case unix.AF_INET6:
		destination = netip.IPv6Unspecified()
	default:
		return r, nil
	}
	err := attributes(b, unix.SizeofRtMsg, func(kind uint16, data []byte) (err error) {
		var n uint32
		switch kind {
		case unix.RTA_DST:
			destination, err = addrOf(data)
		case unix.RTA_PREFSRC:
			r.Source, err = addrOf(data)
		case unix.RTA_PRIORITY:
			n, err = uint32Of(kind, data)
			r.Metric = int64(n)
		case unix.RTA_TABLE:
			n, err = uint32Of(kind, data)
			r.Table = int64(n)
		case unix.RTA_MULTIPATH:
			r.NextHops, err = parseNextHops(data)
		default:
			err = r.NextHop.attribute(kind, data)
		}
		return err
	})
	if err != nil {
		return Route{}, err
	}
	if r.Destination = netip.PrefixFrom(destination, bits); !r.Destination.IsValid() {
		return Route{}, fmt.Errorf("destination %v/%d is none", destination, bits)
	}
	return r, nil
}

// attribute reads what a route and a leg of a multipath route have in common.
func (h *NextHop) attribute(kind uint16, data []byte) (err error) {
	switch kind {
	case unix.RTA_OIF:
		var n uint32
		n, err = uint32Of(kind, data)
		h.Link = int(int32(n))
	case unix.RTA_GATEWAY:
		h.Gateway, err = addrOf(data)
	case unix.RTA_VIA: // struct rtvia: the family, then an address of that family
		if len(data) < 2 {
			return errShort
		}
		h.Gateway, err = addrOf(data[2:])
	}
	return err
}

// parseNextHops reads RTA_MULTIPATH: a sequence of struct rtnexthop, each with
// attributes of its own.
func parseNextHops(b []byte) ([]NextHop, error) {
	var hops []NextHop
	for len(b) >= unix.SizeofRtNexthop {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtNexthop || length > len(b) {
			return nil, fmt.Errorf("next hop claims %d of %d bytes", length, len(b))
		}
		hop := NextHop{Weight: int64(b[3]) + 1, Link: int(int32(binary.NativeEndian.Uint32(b[4:])))}
		if err := attributes(b[:length], unix.SizeofRtNexthop, hop.attribute); err != nil {
			return nil, err
		}
		hops = append(hops, hop)
		b = b[min((length+unix.RTNH_ALIGNTO-1)&^(unix.RTNH_ALIGNTO-1), len(b)):]
	}
	return hops, nil
}

// FamilyName is "inet" or "inet6".
func (r Route) FamilyName() string {
	if r.Family == unix.AF_INET6 {
		return "inet6"
	}
	return "inet"
}

// TypeName is the name of the route's type as iproute2 prints it.
func (r Route) TypeName() string {
	names := [...]string{
		"none", "unicast", "local", "broadcast", "anycast", "multicast",
		"blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve",
	}
	if int(r.Type) < len(names) {
		return names[r.Type]
	}
	return strconv.Itoa(int(r.Type))
}

// ProtocolName is the name of who made the route as iproute2's rt_protos has
// it, else the number.
func (r Route) ProtocolName() string {
	switch r.Protocol {
	case unix.RTPROT_UNSPEC:
		return "unspec"
	case unix.RTPROT_REDIRECT:
		return "redirect"
	case unix.RTPROT_KERNEL:
		return "kernel"
	case unix.RTPROT_BOOT:
		return "boot"
	case unix.RTPROT_STATIC:
		return "static"
	case unix.RTPROT_GATED:
		return "gated"
	case unix.RTPROT_RA:
		return "ra"
	case unix.RTPROT_MRT:
		return "mrt"
	case unix.RTPROT_ZEBRA:
		return "zebra"
	case unix.RTPROT_BIRD:
		return "bird"
	case unix.RTPROT_DNROUTED:
		return "dnrouted"
	case unix.RTPROT_XORP:
		return "xorp"
	case unix.RTPROT_NTK:
		return "ntk"
	case unix.RTPROT_DHCP:
		return "dhcp"
	case unix.RTPROT_KEEPALIVED:
		return "keepalived"
	case unix.RTPROT_BABEL:
		return "babel"
	case unix.RTPROT_OPENR:
		return "openr"
	case unix.RTPROT_BGP:
		return "bgp"
	case unix.RTPROT_ISIS:
		return "isis"
	case unix.RTPROT_OSPF:
		return "ospf"
	case unix.RTPROT_RIP:
		return "rip"
	case unix.RTPROT_EIGRP:
		return "eigrp"
	}
	return strconv.Itoa(int(r.Protocol))
}
