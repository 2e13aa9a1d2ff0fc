package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/netlink"
)

// Conn is what a dump needs of a netlink socket; *netlink.Conn is one.
type Conn interface {
	Execute(netlink.Message) ([]netlink.Message, error)
	Close() error
}

// Dial opens a socket of NETLINK_SOCK_DIAG in the caller's network namespace.
func Dial() (Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("opening sock_diag: %w", err)
	}
	return conn, nil
}

// State is a socket's state, numbered as in linux/tcp_states.h; sock_diag uses
// the same numbers for UDP.
type State uint8

// The states of interest. An unconnected UDP socket is in Close.
const (
	Established State = 1
	Close       State = 7
	CloseWait   State = 8
	Listen      State = 10
)

// Protocol is an IP protocol number.
type Protocol uint8

// The protocols of interest.
const (
	TCP Protocol = unix.IPPROTO_TCP
	UDP Protocol = unix.IPPROTO_UDP
)

func (p Protocol) String() string {
	if p == UDP {
		return "udp"
	}
	return "tcp"
}

// Socket is one socket.
type Socket struct {
	Protocol Protocol
	V6       bool // a socket of AF_INET6, whatever its addresses
	State    State
	Local    netip.AddrPort // IPv4-mapped addresses are IPv4
	Remote   netip.AddrPort
	Device   int // index of the link it is bound to, 0 for none
	UID      uint32
	Inode    uint32 // 0: no process holds it
	V6Only   bool   // IPV6_V6ONLY, known of unconnected sockets only
}

const (
	sizeofSockID  = 48
	sizeofRequest = 8 + sizeofSockID // struct inet_diag_req_v2
	sizeofMessage = 4 + sizeofSockID + 20
	attrV6Only    = 11 // INET_DIAG_SKV6ONLY
)

// Dump lists the sockets of one protocol, both families, in any of the states.
func Dump(conn Conn, protocol Protocol, states ...State) ([]Socket, error) {
	var sockets []Socket
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		request := make([]byte, sizeofRequest)
		request[0], request[1] = family, uint8(protocol)
		var mask uint32
		for _, s := range states {
			mask |= 1 << s
		}
		binary.NativeEndian.PutUint32(request[4:], mask)
		replies, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request | netlink.Dump},
			Data:   request,
		})
		if err != nil {
			return nil, fmt.Errorf("listing %s sockets: %w", protocol, err)
		}
		for _, m := range replies {
			if m.Header.Type != unix.SOCK_DIAG_BY_FAMILY {
				continue
			}
			s, err := Parse(protocol, m.Data)
			if err != nil {
				return nil, fmt.Errorf("reading a %s socket: %w", protocol, err)
			}
			sockets = append(sockets, s)
		}
	}
	return sockets, nil
}

var errShort = errors.New("message is shorter than struct inet_diag_msg")

// Parse reads a struct inet_diag_msg and its attributes.
func Parse(protocol Protocol, b []byte) (Socket, error) {
	if len(b) < sizeofMessage {
		return Socket{}, errShort
	}
	s := Socket{
		Protocol: protocol,
		V6:       b[0] == unix.AF_INET6,
		State:    State(b[1]),
		Device:   int(int32(binary.NativeEndian.Uint32(b[40:]))),
		UID:      binary.NativeEndian.Uint32(b[64:]),
		Inode:    binary.NativeEndian.Uint32(b[68:]),
	}
	if !s.V6 && b[0] != unix.AF_INET {
		return Socket{}, fmt.Errorf("address family %d is neither IPv4 nor IPv6", b[0])
	}
	s.Local = addrPort(s.V6, b[8:24], b[4:6])
	s.Remote = addrPort(s.V6, b[24:40], b[6:8])
	for b = b[sizeofMessage:]; len(b) >= unix.SizeofNlAttr; {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofNlAttr || length > len(b) {
			return Socket{}, fmt.Errorf("attribute claims %d of %d bytes", length, len(b))
		}
		if binary.NativeEndian.Uint16(b[2:]) == attrV6Only && length > unix.SizeofNlAttr {
			s.V6Only = b[unix.SizeofNlAttr] != 0
		}
		b = b[min((length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
	}
	return s, nil
}

// addrPort reads an address of 16 bytes, of which IPv4 uses the first 4, and a
// port, both in network order.
func addrPort(v6 bool, ip, port []byte) netip.AddrPort {
	addr := netip.AddrFrom4([4]byte(ip))
	if v6 {
		addr = netip.AddrFrom16([16]byte(ip)).Unmap()
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port))
}
