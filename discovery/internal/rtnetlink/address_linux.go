package rtnetlink

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Address is one address of a link.
type Address struct {
	Link      int
	IP        netip.Addr
	Bits      int
	Peer      netip.Addr // of a point-to-point link, else the zero Addr
	Scope     uint8
	Dynamic   bool // has a lifetime
	Temporary bool // RFC 8981
}

// Addresses dumps the addresses of both families.
func Addresses(conn Conn) ([]Address, error) {
	return dumpAll(conn, unix.RTM_GETADDR, unix.RTM_NEWADDR, make([]byte, unix.SizeofIfAddrmsg), ParseAddress)
}

// ParseAddress reads the body of an RTM_NEWADDR message.
func ParseAddress(b []byte) (Address, error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return Address{}, errShort
	}
	family := b[0]
	flags := uint32(b[2])
	a := Address{Bits: int(b[1]), Scope: b[3], Link: int(int32(binary.NativeEndian.Uint32(b[4:])))}
	var remote netip.Addr
	err := attributes(b, unix.SizeofIfAddrmsg, func(kind uint16, data []byte) (err error) {
		switch kind {
		case unix.IFA_LOCAL:
			a.IP, err = addrOf(data)
		case unix.IFA_ADDRESS:
			remote, err = addrOf(data)
		case unix.IFA_FLAGS:
			flags, err = uint32Of(kind, data)
		}
		return err
	})
	if err != nil {
		return Address{}, err
	}
	switch {
	case !a.IP.IsValid():
		a.IP = remote
	case remote.IsValid() && remote != a.IP:
		a.Peer = remote
	}
	if !a.IP.IsValid() || a.Bits > a.IP.BitLen() {
		return Address{}, fmt.Errorf("address %v/%d is none", a.IP, a.Bits)
	}
	a.Dynamic = flags&unix.IFA_F_PERMANENT == 0
	a.Temporary = family == unix.AF_INET6 && flags&unix.IFA_F_TEMPORARY != 0
	return a, nil
}

// addrOf reads an address of 4 or 16 bytes.
func addrOf(data []byte) (netip.Addr, error) {
	ip, ok := netip.AddrFromSlice(data)
	if !ok {
		return ip, fmt.Errorf("address of %d bytes", len(data))
	}
	return ip, nil
}

// ScopeName is the name of a scope as iproute2 prints it.
func ScopeName(scope uint8) string {
	switch scope {
	case unix.RT_SCOPE_UNIVERSE:
		return "global"
	case unix.RT_SCOPE_SITE:
		return "site"
	case unix.RT_SCOPE_LINK:
		return "link"
	case unix.RT_SCOPE_HOST:
		return "host"
	case unix.RT_SCOPE_NOWHERE:
		return "nowhere"
	}
	return strconv.Itoa(int(scope))
}
