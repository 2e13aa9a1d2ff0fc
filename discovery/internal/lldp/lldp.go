// Package lldp reads frames of the Link Layer Discovery Protocol (IEEE Std
// 802.1AB-2016) with those organisations' TLVs that say something about a port:
// IEEE 802.1 and 802.3, and LLDP-MED (ANSI/TIA-1057).
//
// What comes is a stranger's: nothing is kept that is longer than the frame, and
// text is cleaned.
package lldp

import (
	"encoding/binary"
	"errors"
	"net"
	"time"

	"assimilation/discovery/switchport"
)

// Why a frame was refused, see 802.1AB 9.2.8.7.
var (
	ErrOther = errors.New("not an LLDP frame")
	ErrShort = errors.New("LLDP frame ends within a TLV")
	ErrOrder = errors.New("LLDP frame does not begin with one chassis, port and time to live")
	ErrValue = errors.New("LLDP chassis, port or time to live is too short")
)

// The types of TLVs, 802.1AB table 8-1.
const (
	typeEnd = iota
	typeChassis
	typePort
	typeTTL
	typePortDescription
	typeName
	typeDescription
	typeCapabilities
	typeManagement
	typeOrganisation = 127
)

const (
	headerSize = 14 // of Ethernet, without a VLAN tag
	etherType  = 0x88cc
)

// Decode reads an Ethernet frame. The time to live is zero when the port says
// goodbye; such a frame may hold no more than who it is.
func Decode(frame []byte) (switchport.Port, time.Duration, error) {
	if len(frame) < headerSize || binary.BigEndian.Uint16(frame[12:]) != etherType {
		return switchport.Port{}, 0, ErrOther
	}
	d := decoder{port: switchport.Port{Protocol: "lldp", SourceMAC: net.HardwareAddr(frame[6:12]).String()}}
	if err := d.frame(frame[headerSize:]); err != nil {
		return switchport.Port{}, 0, err
	}
	d.sort()
	return d.port, d.ttl, nil
}

type decoder struct {
	port switchport.Port
	ttl  time.Duration
}

// frame walks the TLVs. Three are mandatory and have their order. The end may be
// missing, for some switches fill the frame to its last byte.
func (d *decoder) frame(b []byte) error {
	count := 0
	for ; len(b) >= 2; count++ {
		head := binary.BigEndian.Uint16(b)
		kind, size := int(head>>9), int(head&0x1ff)
		if kind == typeEnd {
			break
		}
		if size > len(b)-2 {
			return ErrShort
		}
		value := b[2 : 2+size]
		b = b[2+size:]
		switch {
		case count < typeTTL && kind == count+1:
			if !d.mandatory(kind, value) {
				return ErrValue
			}
		case count < typeTTL, kind <= typeTTL:
			return ErrOrder
		default:
			d.optional(kind, value)
		}
	}
	if count < typeTTL {
		return ErrOrder
	}
	return nil
}

func (d *decoder) mandatory(kind int, value []byte) bool {
	if len(value) < 2 {
		return false
	}
	switch kind {
	case typeChassis:
		word, name := chassisSubtype(value[0])
		d.port.Chassis, d.port.ChassisSubtype = word+" "+identity(name, value[1:]), name
	case typePort:
		d.port.PortSubtype = portSubtype(value[0])
		d.port.Port = identity(d.port.PortSubtype, value[1:])
	case typeTTL:
		d.ttl = time.Duration(binary.BigEndian.Uint16(value)) * time.Second
	}
	return true
}

// optional reads one TLV. One that is too short, or comes again, says nothing.
func (d *decoder) optional(kind int, value []byte) {
	p := &d.port
	switch kind {
	case typePortDescription:
		setText(&p.PortDescription, value)
	case typeName:
		setText(&p.Name, value)
	case typeDescription:
		setText(&p.Description, value)
	case typeCapabilities:
		if len(value) >= 4 && p.Capabilities == nil {
			p.Capabilities = capabilities(binary.BigEndian.Uint16(value[2:]))
		}
	case typeManagement:
		// Length of subtype and address, then both.
		if len(value) > 2 && int(value[0]) > 1 && int(value[0]) < len(value) {
			add(&p.Management, networkAddress(value[1:1+int(value[0])]))
		}
	case typeOrganisation:
		if len(value) > 4 {
			d.organisation(value)
		}
	}
}

// organisation reads a TLV that begins with an OUI and a subtype.
func (d *decoder) organisation(value []byte) {
	subtype, info := value[3], value[4:]
	switch uint32(value[0])<<16 | uint32(value[1])<<8 | uint32(value[2]) {
	case 0x0080c2:
		d.bridging(subtype, info)
	case 0x00120f:
		d.ethernet(subtype, info)
	case 0x0012bb:
		d.med(subtype, info)
	}
}

// capabilityNames are those of 802.1AB table 8-4, by bit. What the last three say
// (C-VLAN, S-VLAN, two-port relay), "bridge" says too.
var capabilityNames = [...]string{
	"other", "repeater", "bridge", "wlan-ap", "router", "telephone", "docsis", "station", "bridge", "bridge", "repeater",
}

// capabilities names those that are enabled. The list is not nil, for that
// would be a TLV that was not there.
func capabilities(enabled uint16) []string {
	names := []string{}
	for bit, name := range capabilityNames {
		if enabled>>bit&1 == 1 {
			add(&names, name)
		}
	}
	return names
}
