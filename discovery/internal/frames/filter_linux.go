package frames

import "golang.org/x/sys/unix"

// Filter says which frames a socket receives.
type Filter struct {
	// EtherType is what the socket is bound to. Frames with a length instead of a
	// type are unix.ETH_P_802_2.
	EtherType uint16
	// AtPort gives frames the link by which they came into the host, not the one
	// that the kernel handed them on to (a bond, a VLAN).
	AtPort bool
	// most is how many bytes of a frame are kept.
	most int
	// program judges a frame from its destination address on; its result is how
	// many bytes are kept.
	program []unix.SockFilter
}

// The longest frames that the filters keep.
const (
	maxDiscovery = 1600 // an LLDP or CDP frame and then some
	maxARP       = 64
	maxND        = 512 // options that matter stand at the front
)

// LLDP passes frames to the group addresses of IEEE 802.1AB table 7-1.
var LLDP = Filter{unix.ETH_P_LLDP, true, maxDiscovery, []unix.SockFilter{
	load(unix.BPF_W, 2),
	equal(0xc200000e, 2, 0),
	equal(0xc2000003, 1, 0),
	equal(0xc2000000, 0, 3),
	load(unix.BPF_H, 0),
	equal(0x0180, 0, 1),
	keep(maxDiscovery),
	keep(0),
}}

// CDP passes frames to Cisco's group address with Cisco's SNAP protocol 2000.
var CDP = Filter{unix.ETH_P_802_2, true, maxDiscovery, []unix.SockFilter{
	load(unix.BPF_W, 2),
	equal(0x0ccccccc, 0, 7),
	load(unix.BPF_H, 0),
	equal(0x0100, 0, 5),
	load(unix.BPF_W, 14),
	equal(0xaaaa0300, 0, 3),
	load(unix.BPF_W, 18),
	equal(0x000c2000, 0, 1),
	keep(maxDiscovery),
	keep(0),
}}

// ARP passes requests and replies for IPv4 on Ethernet (RFC 826) that are for
// this host or for all.
var ARP = Filter{unix.ETH_P_ARP, false, maxARP, []unix.SockFilter{
	load(unix.BPF_W, packetType),
	equal(unix.PACKET_OTHERHOST, 8, 0),
	load(unix.BPF_W, 14),
	equal(0x00010800, 0, 6),
	load(unix.BPF_H, 18),
	equal(0x0604, 0, 4),
	load(unix.BPF_H, 20),
	equal(1, 1, 0),
	equal(2, 0, 1),
	keep(maxARP),
	keep(0),
}}

// ND passes the five messages of RFC 4861, ICMPv6 types 133 to 137 right behind
// the IPv6 header, that come from the link itself (hop limit 255).
var ND = Filter{unix.ETH_P_IPV6, false, maxND, []unix.SockFilter{
	load(unix.BPF_B, 20), // next header
	equal(unix.IPPROTO_ICMPV6, 0, 8),
	load(unix.BPF_B, 21), // hop limit
	equal(255, 0, 6),
	load(unix.BPF_W, packetType),
	equal(unix.PACKET_OTHERHOST, 4, 0),
	load(unix.BPF_B, 54), // type
	atLeast(133, 0, 2),
	atLeast(138, 1, 0),
	keep(maxND),
	keep(0),
}}

// packetType is where filters find whom a frame is for (PACKET_HOST and others).
// Frames to others arrive where a bridge has the hardware listen to all.
// SKF_AD_OFF + SKF_AD_PKTTYPE of linux/filter.h.
const packetType = 0xfffff000 + 4

func load(size uint16, at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | size, K: at}
}

// equal jumps over yes instructions if what was loaded is k, else over no.
func equal(k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: yes, Jf: no, K: k}
}

func atLeast(k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jt: yes, Jf: no, K: k}
}

// keep ends the program: so many bytes of the frame are wanted.
func keep(bytes uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: bytes}
}
