// Package cdp reads frames of the Cisco Discovery Protocol, versions 1 and 2. The
// TLVs are as tcpdump, Wireshark and Cisco's documentation have them; there is no
// standard.
//
// What comes is a stranger's: nothing is kept that is longer than the frame, and
// text is cleaned.
package cdp

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/switchport"
)

// Why a frame was refused.
var (
	ErrOther   = errors.New("not a CDP frame")
	ErrVersion = errors.New("CDP frame of another version than 1 and 2")
	ErrShort   = errors.New("CDP frame ends within a TLV")
	ErrNobody  = errors.New("CDP frame without device or port")
)

// The types of TLVs.
const (
	typeDevice         = 0x01
	typeAddresses      = 0x02
	typePort           = 0x03
	typeCapabilities   = 0x04
	typeVersion        = 0x05
	typePlatform       = 0x06
	typeVTPDomain      = 0x09
	typeNativeVLAN     = 0x0a
	typeDuplex         = 0x0b
	typeVoiceVLAN      = 0x0e
	typeMTU            = 0x11
	typeName           = 0x14
	typeManagement     = 0x16
	typePowerAvailable = 0x1a
)

const (
	headerSize = 14 // of Ethernet, without a VLAN tag
	// llc is what follows: LLC and SNAP with Cisco's OUI and the protocol's number.
	llc     = "\xaa\xaa\x03\x00\x00\x0c\x20\x00"
	maxText = 255
)

// Decode reads an Ethernet frame. The time to live is zero when the port says
// goodbye. The checksum is not looked at: the frame has one of its own, and CDP's
// is computed in two ways.
func Decode(frame []byte) (switchport.Port, time.Duration, error) {
	p := switchport.Port{Protocol: "cdp"}
	start := headerSize + len(llc)
	if len(frame) < start || string(frame[headerSize:start]) != llc {
		return p, 0, ErrOther
	}
	p.SourceMAC = net.HardwareAddr(frame[6:12]).String()
	// The length of the 802.3 header tells the frame from its padding.
	end := headerSize + int(binary.BigEndian.Uint16(frame[12:]))
	b := frame[start:max(start, min(end, len(frame)))]
	if len(b) < 4 {
		return p, 0, ErrShort
	}
	if b[0] != 1 && b[0] != 2 {
		return p, 0, ErrVersion
	}
	ttl := time.Duration(b[1]) * time.Second
	for b = b[4:]; len(b) > 0; {
		if len(b) < 4 {
			return p, 0, ErrShort
		}
		kind, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if size < 4 || size > len(b) {
			return p, 0, ErrShort
		}
		read(&p, kind, b[4:size])
		b = b[size:]
	}
	if p.Chassis == "" || p.Port == "" && ttl > 0 {
		return p, 0, ErrNobody
	}
	if p.Name == "" {
		p.Name = strings.TrimPrefix(p.Chassis, chassisWord)
	}
	slices.Sort(p.Capabilities)
	slices.Sort(p.Management)
	return p, ttl, nil
}

const chassisWord = "name "

// read takes in one TLV. One that is too short says nothing.
func read(p *switchport.Port, kind uint16, value []byte) {
	switch kind {
	case typeDevice:
		if id := text(value); id != "" {
			p.Chassis = discovery.Clean(chassisWord+id, maxText)
		}
	case typePort:
		p.Port = text(value)
	case typeName:
		p.Name = text(value)
	case typeVersion:
		p.Description = text(value)
	case typePlatform:
		p.Platform = text(value)
	case typeVTPDomain:
		p.VTPDomain = text(value)
	case typeAddresses, typeManagement:
		addresses(p, value)
	default:
		readNumber(p, kind, value)
	}
}

func readNumber(p *switchport.Port, kind uint16, value []byte) {
	switch {
	case kind == typeCapabilities && len(value) >= 4:
		p.Capabilities = capabilities(binary.BigEndian.Uint32(value))
	case kind == typeNativeVLAN && len(value) >= 2:
		p.VLAN = int64(binary.BigEndian.Uint16(value))
	case kind == typeDuplex && len(value) >= 1:
		p.Duplex = "half"
		if value[0] != 0 {
			p.Duplex = "full"
		}
	case kind == typeVoiceVLAN && len(value) >= 3: // one byte of the appliance's number
		p.VoiceVLAN = int64(binary.BigEndian.Uint16(value[1:]))
	case kind == typeMTU && len(value) >= 4:
		p.MTU = int64(binary.BigEndian.Uint32(value))
	case kind == typePowerAvailable && len(value) >= 8: // two numbers of the request, then milliwatts
		p.PowerMW, p.PowerType = int64(binary.BigEndian.Uint32(value[4:])), "pse"
	}
}

// capabilityNames by bit, in the words of LLDP: router, transparent and source
// route bridge, switch, host, IGMP filter, repeater, phone.
var capabilityNames = [...]string{"router", "bridge", "bridge", "bridge", "station", "", "repeater", "telephone"}

func capabilities(bits uint32) []string {
	names := []string{}
	for bit, name := range capabilityNames {
		if bits>>bit&1 == 1 && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// addresses reads a count, and of each address: type and length of the protocol,
// the protocol, length of the address, the address. The length tells IPv4 and
// IPv6, which are the only ones of 4 and 16 bytes.
func addresses(p *switchport.Port, b []byte) {
	if len(b) < 4 {
		return
	}
	for b = b[4:]; len(b) >= 2; {
		head := 2 + int(b[1]) + 2
		if len(b) < head {
			return
		}
		size := int(binary.BigEndian.Uint16(b[head-2:]))
		if len(b) < head+size {
			return
		}
		if ip, ok := netip.AddrFromSlice(b[head : head+size]); ok && !ip.IsUnspecified() {
			if s := ip.String(); !slices.Contains(p.Management, s) {
				p.Management = append(p.Management, s)
			}
		}
		b = b[head+size:]
	}
}

func text(b []byte) string {
	return strings.TrimSpace(discovery.Clean(strings.TrimRight(string(b), "\x00"), maxText))
}
