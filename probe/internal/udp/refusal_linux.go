package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// errorQueue asks the kernel to keep the ICMP errors of a socket, with the address
// that the datagram went to (IP_RECVERR, ip(7)). Without it an unconnected socket
// learns of none.
func errorQueue(c *net.UDPConn, v6 bool) error {
	level, option := unix.SOL_IP, unix.IP_RECVERR
	if v6 {
		level, option = unix.SOL_IPV6, unix.IPV6_RECVERR
	}
	return control(c, func(fd int) error { return unix.SetsockoptInt(fd, level, option, 1) })
}

// maxErrors bounds what is read of the queue at a time.
const maxErrors = 64

// refusals empties the error queue, and returns who has answered "port
// unreachable" there; any: there was something in it.
func refusals(c *net.UDPConn) (from []netip.AddrPort, any bool) {
	var data [1]byte // of the datagram; not of interest
	var extra [512]byte
	_ = control(c, func(fd int) error { // fails when the socket is closed
		for range maxErrors {
			_, n, _, to, err := unix.Recvmsg(fd, data[:], extra[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				break
			}
			any = true
			if portUnreachable(extra[:n]) {
				from = append(from, address(to))
			}
		}
		return nil
	})
	return from, any
}

// portUnreachable looks for struct sock_extended_err: errno (4 bytes, in the
// machine's order), origin, ICMP type and code (linux/errqueue.h). ECONNREFUSED of
// ICMP is that and nothing else.
func portUnreachable(control []byte) bool {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return false
	}
	for _, m := range messages {
		v4 := m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_RECVERR
		v6 := m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if !v4 && !v6 || len(m.Data) < 16 {
			continue
		}
		origin := m.Data[4]
		if syscall.Errno(binary.NativeEndian.Uint32(m.Data)) == unix.ECONNREFUSED && (origin == unix.SO_EE_ORIGIN_ICMP || origin == unix.SO_EE_ORIGIN_ICMP6) {
			return true
		}
	}
	return false
}

func address(s unix.Sockaddr) netip.AddrPort {
	switch a := s.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
