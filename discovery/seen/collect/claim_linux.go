package collect

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// claim is what a frame says: somebody with this hardware address has this
// address.
type claim struct {
	ip     netip.Addr
	mac    [6]byte
	router bool
	// knows: the frame tells whether it is a router.
	knows bool
}

// Offsets in a frame: Ethernet's header has 14 bytes, that of IPv6 40.
const (
	atSource  = 6 // the sender's hardware address
	atType    = 12
	atARP     = 14
	atIPv6    = 14
	atMessage = atIPv6 + 40
)

// read returns the claim of an ARP or ND frame that a filter let pass. There is
// none in a probe for an address that nobody has yet (RFC 5227: sent from
// 0.0.0.0; RFC 4862: from ::), nor in one that is cut short.
func read(frame []byte) (claim, bool) {
	if len(frame) < atARP {
		return claim{}, false
	}
	var c claim
	switch binary.BigEndian.Uint16(frame[atType:]) {
	case unix.ETH_P_ARP:
		c = readARP(frame[atARP:])
	case unix.ETH_P_IPV6:
		c = readND(frame)
	}
	c.ip = c.ip.Unmap()
	hardware := c.mac != [6]byte{} && c.mac[0]&1 == 0
	return c, hardware && (c.ip.IsGlobalUnicast() || c.ip.IsLinkLocalUnicast())
}

// readARP takes the sender's pair, RFC 826: hardware type, protocol type, the
// two lengths and the operation are before it.
func readARP(b []byte) claim {
	if len(b) < 28 {
		return claim{}
	}
	return claim{ip: netip.AddrFrom4([4]byte(b[14:18])), mac: [6]byte(b[8:14])}
}

// Messages and options of RFC 4861, section 4.
const (
	routerSolicitation    = 133
	routerAdvertisement   = 134
	neighborSolicitation  = 135
	neighborAdvertisement = 136
	redirect              = 137

	sourceAddress = 1
	targetAddress = 2
)

// readND takes the sender's address and its link-layer option, of an
// advertisement the target's. Without the option it is the frame's source that
// has the address: the message came straight from the link.
func readND(frame []byte) claim {
	if len(frame) < atMessage {
		return claim{}
	}
	m := frame[atMessage:min(len(frame), atMessage+int(binary.BigEndian.Uint16(frame[atIPv6+4:])))]
	if len(m) == 0 || len(m) < fixedPart(m[0]) {
		return claim{}
	}
	c := claim{ip: netip.AddrFrom16([16]byte(frame[atIPv6+8 : atIPv6+24])), mac: [6]byte(frame[atSource:atType])}
	switch m[0] {
	case routerSolicitation:
		c.option(sourceAddress, m[fixedPart(m[0]):])
	case routerAdvertisement:
		c.router, c.knows = true, true
		c.option(sourceAddress, m[fixedPart(m[0]):])
	case neighborSolicitation:
		c.option(sourceAddress, m[fixedPart(m[0]):])
	case neighborAdvertisement:
		c.router, c.knows = m[4]&0x80 != 0, true
		c.ip = netip.AddrFrom16([16]byte(m[8:24]))
		c.option(targetAddress, m[fixedPart(m[0]):])
	case redirect:
		c.router, c.knows = true, true
	}
	return c
}

// fixedPart is how much of a message stands before its options.
func fixedPart(message byte) int {
	switch message {
	case routerSolicitation:
		return 8
	case routerAdvertisement:
		return 16
	case redirect:
		return 40
	}
	return 24
}

// option finds a link-layer address among options: type, length in units of 8
// bytes, value.
func (c *claim) option(kind byte, b []byte) {
	for len(b) >= 8 && b[1] > 0 && int(b[1])*8 <= len(b) {
		if b[0] == kind {
			c.mac = [6]byte(b[2:8])
			return
		}
		b = b[int(b[1])*8:]
	}
}
