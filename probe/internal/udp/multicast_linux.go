package udp

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// multicast4 has the socket send its next multicast by ifi, ip(7). The packages
// ipv4 and ipv6 of golang.org/x/net would do the same for 45 kB of the probe.
func multicast4(c *net.UDPConn, ifi *net.Interface) error {
	return control(c, func(fd int) error {
		return errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, multicastTTL),
			unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi.Index)}))
	})
}

// multicast6 is the same by ipv6(7).
func multicast6(c *net.UDPConn, ifi *net.Interface) error {
	return control(c, func(fd int) error {
		return errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, multicastTTL),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, ifi.Index))
	})
}

func control(c *net.UDPConn, set func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = set(int(fd)) }); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("setting an option of the UDP port: %w", failed)
	}
	return nil
}
