package collect

import (
	"slices"
	"strings"

	"assimilation/discovery/switchport"
)

// agree makes one list of what LLDP and CDP say of a link's other end.
//
// A compliant bridge keeps LLDP to the link, but most that are not Cisco's flood
// CDP, those of Linux among them. So CDP adds to the LLDP of the same device,
// and says nothing where there is LLDP of others. Where CDP is alone it must
// speak of one port: contradict reports that it spoke of several.
func agree(sights []*sight) (ports []switchport.Port, contradict bool) {
	var cdp []switchport.Port
	for _, s := range sights {
		if s.port.Protocol == "cdp" {
			cdp = append(cdp, s.port)
		} else {
			ports = append(ports, s.port)
		}
	}
	if len(ports) == 0 {
		if len(cdp) > 1 {
			return nil, true
		}
		return cdp, false
	}
	for i := range ports {
		only := len(ports) == 1 && len(cdp) == 1
		if c, found := same(ports[i], cdp, only); found {
			add(&ports[i], c)
		}
	}
	return ports, false
}

// same finds the CDP of an LLDP port: what was sent with the same address comes
// from the same port; else the one that tells of the same device.
func same(lldp switchport.Port, cdp []switchport.Port, only bool) (switchport.Port, bool) {
	var found []switchport.Port
	for _, c := range cdp {
		if c.SourceMAC == lldp.SourceMAC {
			return c, true
		}
		if sameDevice(lldp, c) || only && lldp.Name == "" && len(lldp.Management) == 0 {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return switchport.Port{}, false
	}
	return found[0], true
}

func sameDevice(lldp, cdp switchport.Port) bool {
	for _, ip := range lldp.Management {
		if slices.Contains(cdp.Management, ip) {
			return true
		}
	}
	id := strings.TrimPrefix(cdp.Chassis, "name ")
	return sameName(lldp.Name, id) || sameName(lldp.Name, cdp.Name) ||
		strings.HasPrefix(lldp.Chassis, "mac ") && hexDigits(lldp.Chassis[len("mac "):]) == hexDigits(id)
}

// sameName compares names of a device. One may have its domain, or, as NX-OS
// does, a serial number in brackets.
func sameName(a, b string) bool {
	a, b = bare(a), bare(b)
	if len(a) > len(b) {
		a, b = b, a
	}
	return a != "" && strings.HasPrefix(b, a) && (len(a) == len(b) || b[len(a)] == '.')
}

func bare(name string) string {
	name, _, _ = strings.Cut(name, "(")
	return strings.ToLower(name)
}

// hexDigits is a hardware address without what people put between its digits.
func hexDigits(mac string) string {
	return strings.ToLower(strings.NewReplacer(":", "", "-", "", ".", "").Replace(mac))
}

// add takes over what only CDP says.
func add(p *switchport.Port, cdp switchport.Port) {
	p.Protocol = "lldp+cdp"
	p.Platform, p.VTPDomain, p.VoiceVLAN = cdp.Platform, cdp.VTPDomain, cdp.VoiceVLAN
	for _, w := range []struct{ to, from *string }{
		{&p.Name, &cdp.Name}, {&p.Description, &cdp.Description}, {&p.Duplex, &cdp.Duplex}, {&p.PowerType, &cdp.PowerType},
	} {
		if *w.to == "" {
			*w.to = *w.from
		}
	}
	for _, n := range []struct{ to, from *int64 }{{&p.VLAN, &cdp.VLAN}, {&p.MTU, &cdp.MTU}, {&p.PowerMW, &cdp.PowerMW}} {
		if *n.to == 0 {
			*n.to = *n.from
		}
	}
	if len(p.Management) == 0 {
		p.Management = cdp.Management
	}
	if len(p.Capabilities) == 0 {
		p.Capabilities = cdp.Capabilities
	}
}
