package watch

import (
	"net"
	"net/netip"
)

// KernelLinks asks this machine's kernel.
type KernelLinks struct{}

// Up reports whether the interface by which packets go to an address is up and
// has a carrier. An address that nothing leads to has no link either.
func (KernelLinks) Up(to netip.Addr) bool {
	// Connecting a UDP socket looks the route up, and sends nothing.
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
	if err != nil {
		return false
	}
	from := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	_ = conn.Close() // it was never written to
	interfaces, err := net.Interfaces()
	if err != nil {
		return true // nothing is known
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().WithZone("") == from.WithZone("") {
				return i.Flags&net.FlagUp != 0 && i.Flags&net.FlagRunning != 0
			}
		}
	}
	return true
}
