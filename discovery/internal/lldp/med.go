package lldp

import (
	"encoding/binary"
	"slices"
	"strconv"

	"assimilation/discovery/switchport"
)

// The subtypes of LLDP-MED, ANSI/TIA-1057 table 10.
const (
	medCapabilities = iota + 1
	medPolicy
	medLocation
	medPower
	medHardware
	medFirmware
	medSoftware
	medSerial
	medManufacturer
	medModel
	medAsset
)

// med reads a TLV of LLDP-MED.
func (d *decoder) med(subtype byte, b []byte) {
	p := &d.port
	switch subtype {
	case medCapabilities:
		if len(b) >= 3 {
			setWord(&p.MEDClass, medClass(b[2]))
		}
	case medPolicy:
		if len(b) >= 4 {
			d.policy(b)
		}
	case medLocation:
		d.location(b[0], b[1:])
	case medPower:
		if len(b) >= 3 {
			d.extendedPower(b)
		}
	case medHardware:
		setText(&p.HardwareRev, b)
	case medFirmware:
		setText(&p.FirmwareRev, b)
	case medSoftware:
		setText(&p.SoftwareRev, b)
	case medSerial:
		setText(&p.Serial, b)
	case medManufacturer:
		setText(&p.Manufacturer, b)
	case medModel:
		setText(&p.Model, b)
	case medAsset:
		setText(&p.Asset, b)
	}
}

func medClass(class byte) string {
	switch class {
	case 1:
		return "endpoint class I"
	case 2:
		return "endpoint class II"
	case 3:
		return "endpoint class III"
	case 4:
		return "network connectivity"
	}
	return ""
}

// policyApplications are those of TIA-1057 table 12, from 1 on.
var policyApplications = [...]string{
	"voice", "voice-signaling", "guest-voice", "guest-voice-signaling", "softphone-voice",
	"video-conferencing", "streaming-video", "video-signaling",
}

// policy reads the application, then in three bytes: unknown (1 bit), tagged,
// reserved, VLAN (12), priority (3), DSCP (6).
func (d *decoder) policy(b []byte) {
	p := switchport.Policy{Application: strconv.Itoa(int(b[0]))}
	if i := int(b[0]) - 1; i >= 0 && i < len(policyApplications) {
		p.Application = policyApplications[i]
	}
	bits := int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
	if unknown := bits>>23 == 1; !unknown {
		p.Tagged, p.VLAN, p.Priority, p.DSCP = bits>>22&1 == 1, bits>>9&0xfff, bits>>6&7, bits&63
	}
	same := func(q switchport.Policy) bool { return q.Application == p.Application }
	if !slices.ContainsFunc(d.port.Policies, same) {
		d.port.Policies = append(d.port.Policies, p)
	}
}

// extendedPower reads type (2 bits), source, priority and tenths of a watt. What
// IEEE 802.3 says of the same goes before it.
func (d *decoder) extendedPower(b []byte) {
	switch b[0] >> 6 {
	case 0:
		setWord(&d.port.PowerType, "pse")
	case 1:
		setWord(&d.port.PowerType, "pd")
	}
	setNumber(&d.port.PowerMW, 100*int64(binary.BigEndian.Uint16(b[1:])))
}
