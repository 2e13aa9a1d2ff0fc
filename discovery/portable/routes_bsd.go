//go:build darwin || freebsd

package portable

import (
	"fmt"
	"net"
	"net/netip"

	routes4 "golang.org/x/net/route"
	"golang.org/x/sys/unix"
)

// routes reads the routing table by sysctl(3), as route(4) says it.
func routes() ([]Route, error) {
	raw, err := routes4.FetchRIB(unix.AF_UNSPEC, routes4.RIBTypeRoute, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the routing table: %w", err)
	}
	messages, err := routes4.ParseRIB(routes4.RIBTypeRoute, raw)
	if err != nil {
		return nil, fmt.Errorf("parsing the routing table: %w", err)
	}
	var found []Route
	for _, m := range messages {
		message, ok := m.(*routes4.RouteMessage)
		if !ok || message.Flags&unix.RTF_UP == 0 || len(message.Addrs) <= unix.RTAX_NETMASK {
			continue
		}
		destination, ok := address(message.Addrs[unix.RTAX_DST])
		if !ok {
			continue
		}
		bits := destination.BitLen()
		if message.Flags&unix.RTF_HOST == 0 {
			bits = maskBits(message.Addrs[unix.RTAX_NETMASK])
		}
		r := Route{destination: netip.PrefixFrom(destination, bits), static: message.Flags&unix.RTF_STATIC != 0}
		if gateway, ok := address(message.Addrs[unix.RTAX_GATEWAY]); ok && message.Flags&unix.RTF_GATEWAY != 0 {
			r.gateway = gateway
		}
		if device, err := net.InterfaceByIndex(message.Index); err == nil {
			r.device = device.Name
		}
		found = append(found, r)
	}
	return found, nil
}

func address(a routes4.Addr) (netip.Addr, bool) {
	switch a := a.(type) {
	case *routes4.Inet4Addr:
		return netip.AddrFrom4(a.IP), true
	case *routes4.Inet6Addr:
		return netip.AddrFrom16(a.IP), true
	}
	return netip.Addr{}, false
}

// maskBits counts; no mask is that of the default route.
func maskBits(a routes4.Addr) int {
	switch a := a.(type) {
	case *routes4.Inet4Addr:
		ones, _ := net.IPMask(a.IP[:]).Size()
		return ones
	case *routes4.Inet6Addr:
		ones, _ := net.IPMask(a.IP[:]).Size()
		return ones
	}
	return 0
}
