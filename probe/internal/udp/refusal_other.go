//go:build !linux

package udp

import (
	"net"
	"net/netip"
)

// errorQueue does nothing: other systems do not tell an unconnected socket whom an
// ICMP error is about.
func errorQueue(*net.UDPConn, bool) error { return nil }

func refusals(*net.UDPConn) (from []netip.AddrPort, any bool) { return nil, false }
