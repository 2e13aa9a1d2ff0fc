package lldp

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"assimilation/discovery/internal/order"
	"assimilation/discovery/switchport"
)

// bridging reads a TLV of IEEE 802.1 (802.1Q-2014 annex D).
func (d *decoder) bridging(subtype byte, b []byte) {
	p := &d.port
	switch {
	case subtype == 1 && len(b) >= 2:
		setNumber(&p.VLAN, int64(binary.BigEndian.Uint16(b)))
	case subtype == 2 && len(b) >= 3: // flags: bit 1 supported, bit 2 enabled
		id := int64(binary.BigEndian.Uint16(b[1:]))
		if b[0]&4 != 0 && id != 0 && !slices.Contains(p.ProtocolVLANs, id) {
			p.ProtocolVLANs = append(p.ProtocolVLANs, id)
		}
	case subtype == 3 && len(b) >= 3:
		d.vlan(int64(binary.BigEndian.Uint16(b)), b[3:3+min(int(b[2]), len(b)-3)])
	case subtype == 4 && len(b) >= 1:
		add(&p.Protocols, hex.EncodeToString(b[1:1+min(int(b[0]), len(b)-1)]))
	case subtype == 7 && len(b) >= 5:
		d.aggregation(b)
	}
}

func (d *decoder) vlan(id int64, name []byte) {
	same := func(v switchport.VLAN) bool { return v.ID == id }
	if !slices.ContainsFunc(d.port.VLANs, same) {
		d.port.VLANs = append(d.port.VLANs, switchport.VLAN{ID: id, Name: text(name)})
	}
}

// aggregation reads a link aggregation TLV, which 802.3 had first and 802.1 took
// over: status (bit 1 capable, bit 2 enabled), port id.
func (d *decoder) aggregation(b []byte) {
	if b[0]&2 != 0 {
		d.port.Aggregated = true
		setNumber(&d.port.LinkGroup, int64(binary.BigEndian.Uint32(b[1:])))
	}
}

// ethernet reads a TLV of IEEE 802.3 (802.3-2018 clause 79.3).
func (d *decoder) ethernet(subtype byte, b []byte) {
	switch {
	case subtype == 1 && len(b) >= 5 && d.port.AutoNeg == "":
		switch {
		case b[0]&1 == 0:
			d.port.AutoNeg = "unsupported"
		case b[0]&2 == 0:
			d.port.AutoNeg = "disabled"
		default:
			d.port.AutoNeg = "enabled"
		}
		d.port.MAU, d.port.Duplex, d.port.SpeedMbps = mau(int(binary.BigEndian.Uint16(b[3:])))
	case subtype == 2 && len(b) >= 3:
		d.power(b)
	case subtype == 3 && len(b) >= 5:
		d.aggregation(b)
	case subtype == 4 && len(b) >= 2:
		setNumber(&d.port.MTU, int64(binary.BigEndian.Uint16(b)))
	}
}

// power reads a power via MDI TLV: what the port can (bit 0 port class, 1 set: it
// feeds), pairs, class, and since 802.3at type, source and priority, and the
// power that was requested and allocated, in tenths of a watt.
func (d *decoder) power(b []byte) {
	p := &d.port
	feeds := b[0]&1 != 0
	if p.PowerType != "" || feeds && b[0]&6 != 6 {
		return // a port that can feed, and does not
	}
	p.PowerType = "pd"
	if feeds {
		p.PowerType = "pse"
	}
	if class := b[2]; class >= 1 && class <= 9 {
		p.PowerClass = "class " + string('0'+rune(class-1))
	}
	if len(b) >= 8 {
		p.PowerMW = 100 * int64(binary.BigEndian.Uint16(b[6:]))
	}
}

// sort brings lists into the order of the fact: a switch that shuffles its TLVs
// says nothing new.
func (d *decoder) sort() {
	p := &d.port
	slices.Sort(p.Capabilities)
	slices.Sort(p.Management)
	slices.Sort(p.Protocols)
	slices.Sort(p.ProtocolVLANs)
	order.By(p.VLANs, func(a, b *switchport.VLAN) int { return int(a.ID - b.ID) })
	order.By(p.Policies, func(a, b *switchport.Policy) int { return strings.Compare(a.Application, b.Application) })
	order.By(p.Civic, func(a, b *switchport.Civic) int { return strings.Compare(a.Element, b.Element) })
}
