package rtnetlink

import (
	"encoding/binary"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// Link is one network interface.
type Link struct {
	Index     int
	Name      string
	Kind      string // IFLA_INFO_KIND; "" for hardware and loopback
	Hardware  uint16 // ARPHRD_*
	Flags     uint32 // IFF_*
	MAC       net.HardwareAddr
	MTU       int64
	OperState uint8
	Master    int // index, 0 for none
	Parent    int // index within this namespace, 0 for none
}

// filterSkipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h.
const filterSkipStats = 1 << 3

// Links dumps the interfaces.
func Links(conn Conn) ([]Link, error) {
	body := make([]byte, unix.SizeofIfInfomsg)
	// Counters are left out; they would be half of each message.
	body = append(body, 8, 0, unix.IFLA_EXT_MASK, 0)
	body = binary.NativeEndian.AppendUint32(body, filterSkipStats)
	return dumpAll(conn, unix.RTM_GETLINK, unix.RTM_NEWLINK, body, ParseLink)
}

// ParseLink reads the body of an RTM_NEWLINK message.
func ParseLink(b []byte) (Link, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return Link{}, errShort
	}
	l := Link{
		Hardware: binary.NativeEndian.Uint16(b[2:]),
		Index:    int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Flags:    binary.NativeEndian.Uint32(b[8:]),
	}
	elsewhere := false
	err := attributes(b, unix.SizeofIfInfomsg, func(kind uint16, data []byte) error {
		var n uint32
		var err error
		switch kind {
		case unix.IFLA_IFNAME:
			l.Name = unix.ByteSliceToString(data)
		case unix.IFLA_ADDRESS:
			l.MAC = net.HardwareAddr(data)
		case unix.IFLA_MTU:
			n, err = uint32Of(kind, data)
			l.MTU = int64(n)
		case unix.IFLA_OPERSTATE:
			if len(data) > 0 {
				l.OperState = data[0]
			}
		case unix.IFLA_MASTER:
			n, err = uint32Of(kind, data)
			l.Master = int(int32(n))
		case unix.IFLA_LINK:
			n, err = uint32Of(kind, data)
			l.Parent = int(int32(n))
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_LINKINFO:
			err = attributes(data, 0, func(kind uint16, data []byte) error {
				if kind == unix.IFLA_INFO_KIND {
					l.Kind = unix.ByteSliceToString(data)
				}
				return nil
			})
		}
		return err
	})
	if elsewhere {
		l.Parent = 0
	}
	return l, err
}

// Loopback reports whether the link is a loopback.
func (l Link) Loopback() bool { return l.Flags&unix.IFF_LOOPBACK != 0 }

// HardwareName is the name of an ARPHRD_* number as iproute2 prints it.
func (l Link) HardwareName() string {
	switch l.Hardware {
	case unix.ARPHRD_ETHER:
		return "ether"
	case unix.ARPHRD_LOOPBACK:
		return "loopback"
	case unix.ARPHRD_NONE:
		return "none"
	case unix.ARPHRD_VOID:
		return "void"
	case unix.ARPHRD_PPP:
		return "ppp"
	case unix.ARPHRD_INFINIBAND:
		return "infiniband"
	case unix.ARPHRD_TUNNEL:
		return "ipip"
	case unix.ARPHRD_TUNNEL6:
		return "tunnel6"
	case unix.ARPHRD_SIT:
		return "sit"
	case unix.ARPHRD_IPGRE:
		return "gre"
	case unix.ARPHRD_IP6GRE:
		return "gre6"
	case unix.ARPHRD_IEEE80211:
		return "ieee802.11"
	case unix.ARPHRD_IEEE80211_RADIOTAP:
		return "ieee802.11/radiotap"
	case unix.ARPHRD_CAN:
		return "can"
	case unix.ARPHRD_NETLINK:
		return "netlink"
	}
	return "[" + strconv.Itoa(int(l.Hardware)) + "]"
}

// OperStateName is the RFC 2863 state in the words of the kernel.
func (l Link) OperStateName() string {
	names := [...]string{"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"}
	if int(l.OperState) < len(names) {
		return names[l.OperState]
	}
	return strconv.Itoa(int(l.OperState))
}

// PrivateLinks returns the indexes of links whose addresses mean something on
// this host only: bridges without a member that leads elsewhere, and the links
// stacked on such a bridge.
func PrivateLinks(links []Link) map[int]bool {
	private := map[int]bool{}
	byIndex := make(map[int]Link, len(links))
	for _, l := range links {
		byIndex[l.Index] = l
		if l.Kind == "bridge" {
			private[l.Index] = true
		}
	}
	for _, l := range links {
		if l.Master != 0 && !endsHere(l.Kind) {
			delete(private, l.Master)
		}
	}
	for _, l := range links {
		top := l.Index
		// A chain of parents is short; a count ends it should it be a circle.
		for range 8 {
			if l.Parent == 0 || l.Kind == "veth" || private[l.Index] {
				break
			}
			l = byIndex[l.Parent]
		}
		if private[l.Index] {
			private[top] = true
		}
	}
	return private
}

// endsHere reports whether a bridge member of this kind leads only to
// containers and virtual machines of the same host.
func endsHere(kind string) bool {
	return kind == "veth" || kind == "tun" || kind == "dummy" || kind == "ifb"
}
