// Package framestest builds the frames that switches and hosts send, and sends
// them in a test's network namespace. The probe itself never sends one.
package framestest

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

// MAC reads a hardware address that is known to be good.
func MAC(s string) []byte {
	mac, err := net.ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return mac
}

// IP is the bytes of an address that is known to be good.
func IP(s string) []byte { return netip.MustParseAddr(s).AsSlice() }

// LLDP is a frame of TLVs, to the nearest bridge.
func LLDP(source string, tlvs ...[]byte) []byte {
	frame := slices.Concat(MAC("01:80:c2:00:00:0e"), MAC(source), []byte{0x88, 0xcc})
	return append(append(frame, slices.Concat(tlvs...)...), 0, 0)
}

// TLV is one of LLDP.
func TLV(kind int, value ...byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(kind<<9|len(value))), value...)
}

// Text is a TLV of LLDP with a byte before a text, as chassis and port have it.
func Text(kind int, subtype byte, text string) []byte {
	return TLV(kind, append([]byte{subtype}, text...)...)
}

// Org is a TLV of an organisation: the number of its OUI, its subtype.
func Org(oui uint32, subtype byte, value ...byte) []byte {
	return TLV(127, append([]byte{byte(oui >> 16), byte(oui >> 8), byte(oui), subtype}, value...)...)
}

// Port is the three TLVs that every LLDP frame begins with.
func Port(chassis, port string, ttl uint16) []byte {
	return slices.Concat(TLV(1, append([]byte{4}, MAC(chassis)...)...), Text(2, 5, port), TLV(3, byte(ttl>>8), byte(ttl)))
}

// CDP is a frame of TLVs.
func CDP(source string, version, ttl byte, tlvs ...[]byte) []byte {
	payload := append([]byte{0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, version, ttl, 0, 0}, slices.Concat(tlvs...)...)
	head := append(MAC("01:00:0c:cc:cc:cc"), MAC(source)...)
	return append(binary.BigEndian.AppendUint16(head, uint16(len(payload))), payload...)
}

// CDPTLV is one TLV of CDP.
func CDPTLV(kind uint16, value ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	return append(binary.BigEndian.AppendUint16(b, uint16(4+len(value))), value...)
}

// CDPText is a TLV of CDP that holds a text.
func CDPText(kind uint16, text string) []byte { return CDPTLV(kind, []byte(text)...) }

// ARP is a request (1) or reply (2) to all.
func ARP(operation byte, mac, ip, target string) []byte {
	return slices.Concat(MAC("ff:ff:ff:ff:ff:ff"), MAC(mac), []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, operation},
		MAC(mac), IP(ip), make([]byte, 6), IP(target))
}

// ND is a message of Neighbor Discovery to all nodes, without its checksum. Body
// begins after the checksum.
func ND(mac, from string, message byte, body ...byte) []byte {
	icmp := append([]byte{message, 0, 0, 0}, body...)
	head := slices.Concat(MAC("33:33:00:00:00:01"), MAC(mac), []byte{0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(icmp)), 58, 255},
		IP(from), IP("ff02::1"))
	return append(head, icmp...)
}

// LinkAddress is an option of Neighbor Discovery: source (1) or target (2).
func LinkAddress(kind byte, mac string) []byte { return append([]byte{kind, 1}, MAC(mac)...) }
