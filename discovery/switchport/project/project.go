// Package project turns facts of the kind "switchport" into graph elements. It
// runs only where the tenant has topology replicated: else these facts stay in
// their site.
package project

import (
	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/network"
	"assimilation/discovery/switchport"
)

// Projector projects the kind "switchport": the switch, its port, and the wire
// to the host's link. Switch and port are shared and say what their keys imply;
// what a port tells of itself is one host's evidence and stands on the wire.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return switchport.Kind }

// LeansOn implements discovery.Leaning: the links are vertices of the kind
// "network".
func (Projector) LeansOn() []discovery.FactName {
	return []discovery.FactName{{Kind: network.Kind.Name}}
}

// Instances implements discovery.Leaning.
func (Projector) Instances() []string { return []string{""} }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[switchport.Facts](switchport.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	realm := string(host.SiteRealm)
	var e cmdb.Elements
	for _, p := range body.Ports {
		if p.Interface == "" || p.Chassis == "" || p.Port == "" {
			continue
		}
		device := e.AddVertex(cmdb.Switch, cmdb.JoinKey(realm, p.Chassis), map[string]any{"chassis": p.Chassis, "realm": realm})
		port := e.AddVertex(cmdb.SwitchPort, cmdb.JoinKey(realm, p.Chassis, p.Port),
			map[string]any{"chassis": p.Chassis, "port": p.Port, "realm": realm})
		e.AddEdge(cmdb.OfSwitch, port, device, nil)
		e.AddEdge(cmdb.WiredTo, elements.Interface(host, p.Interface), port, words(p))
	}
	return e, nil
}

// words is what the port says, as far as somebody who looks at the wire asks.
func words(p switchport.Port) map[string]any {
	props := map[string]any{}
	for _, t := range []struct{ name, value string }{
		{"protocol", p.Protocol}, {"description", p.PortDescription}, {"name", p.Name}, {"system", p.Description},
		{"platform", p.Platform}, {"mau", p.MAU}, {"duplex", p.Duplex}, {"vtp_domain", p.VTPDomain},
		{"model", p.Model}, {"serial", p.Serial}, {"latitude", p.Latitude}, {"longitude", p.Longitude},
	} {
		elements.Text(props, t.name, t.value)
	}
	for _, n := range []struct {
		name  string
		value int64
	}{{"vlan", p.VLAN}, {"voice_vlan", p.VoiceVLAN}, {"mtu", p.MTU}, {"speed_mbps", p.SpeedMbps}, {"power_mw", p.PowerMW}} {
		if n.value != 0 {
			props[n.name] = n.value
		}
	}
	if len(p.Capabilities) > 0 {
		props["capabilities"] = p.Capabilities
	}
	if len(p.Management) > 0 {
		props["management"] = p.Management
	}
	var civic []string
	for _, c := range p.Civic {
		civic = append(civic, c.Element+" "+c.Value)
	}
	if len(civic) > 0 {
		props["civic"] = civic
	}
	return props
}
