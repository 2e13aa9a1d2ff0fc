package rtnetlink

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Neighbour is one entry of the ARP or ND table.
type Neighbour struct {
	Family uint8
	Link   int
	State  uint16 // NUD_*
	Flags  uint8  // NTF_*
	Type   uint8  // RTN_*: unicast, multicast, broadcast...
	IP     netip.Addr
	MAC    net.HardwareAddr
}

// Neighbours dumps the tables of both families, without proxy entries.
func Neighbours(conn Conn) ([]Neighbour, error) {
	return dumpAll(conn, unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, make([]byte, unix.SizeofNdMsg), ParseNeighbour)
}

// ParseNeighbour reads the body of an RTM_NEWNEIGH message. Of other families
// (AF_BRIDGE: forwarding tables) it reads the header only.
func ParseNeighbour(b []byte) (Neighbour, error) {
	if len(b) < unix.SizeofNdMsg {
		return Neighbour{}, errShort
	}
	n := Neighbour{
		Family: b[0],
		Link:   int(int32(binary.NativeEndian.Uint32(b[4:]))),
		State:  binary.NativeEndian.Uint16(b[8:]),
		Flags:  b[10],
		Type:   b[11],
	}
	if n.Family != unix.AF_INET && n.Family != unix.AF_INET6 {
		return n, nil
	}
	err := attributes(b, unix.SizeofNdMsg, func(kind uint16, data []byte) (err error) {
		switch kind {
		case unix.NDA_DST:
			n.IP, err = addrOf(data)
		case unix.NDA_LLADDR:
			n.MAC = net.HardwareAddr(data)
		}
		return err
	})
	return n, err
}
