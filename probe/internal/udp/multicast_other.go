//go:build !linux

package udp

import (
	"errors"
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// multicast4 has the socket send its next multicast by ifi.
func multicast4(c *net.UDPConn, ifi *net.Interface) error {
	p := ipv4.NewPacketConn(c)
	return errors.Join(p.SetMulticastTTL(multicastTTL), p.SetMulticastInterface(ifi))
}

func multicast6(c *net.UDPConn, ifi *net.Interface) error {
	p := ipv6.NewPacketConn(c)
	return errors.Join(p.SetMulticastHopLimit(multicastTTL), p.SetMulticastInterface(ifi))
}
