// Package elements holds what projectors have in common: how a body is read,
// and how the shared vertices look that several kinds point at. A shared vertex
// must look the same whoever speaks of it.
package elements

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"

	"assimilation/cmdb"
	"assimilation/discovery"
)

// Read decodes a fact's body. Fields that this program does not know are left
// out; a schema version that it does not know is refused, for then a known field
// may mean something else.
func Read[T any](kind discovery.Kind, fact discovery.Fact) (T, error) {
	var body T
	if fact.Version != kind.Version {
		return body, fmt.Errorf("fact %s has schema version %d, known is %d", fact.Kind, fact.Version, kind.Version)
	}
	if err := json.Unmarshal(fact.Body, &body); err != nil {
		return body, fmt.Errorf("fact %s: %w", fact.Kind, err)
	}
	return body, nil
}

// Host is the vertex that all facts of a host hang on. Ingest makes it, of what
// the relay says about the host.
func Host(host discovery.HostRef) cmdb.Ref { return cmdb.Ref{Label: cmdb.Host, Key: host.ID} }

// Interface is the vertex of a host's link, which the kind "network" asserts.
func Interface(host discovery.HostRef, name string) cmdb.Ref {
	return cmdb.Ref{Label: cmdb.Interface, Key: host.ID + "/" + name}
}

// Service is the vertex of a service, which the kind "sockets" asserts, by its
// identity there.
func Service(host discovery.HostRef, identity string) cmdb.Ref {
	return cmdb.Ref{Label: cmdb.Service, Key: host.ID + "/" + identity}
}

// Child is the vertex of a container, guest or pod within the host, by its id. The
// kind that knows it first-hand asserts it.
func Child(host discovery.HostRef, id string) cmdb.Ref {
	return cmdb.Ref{Label: cmdb.Child, Key: host.ID + "/child:" + id}
}

// Unit is the vertex of a unit of systemd, which the kind "systemd" asserts.
func Unit(host discovery.HostRef, name string) cmdb.Ref {
	return cmdb.Ref{Label: cmdb.Unit, Key: host.ID + "/unit:" + name}
}

// Disk is the vertex of a block device, which the kind "disks" asserts, by the
// name under /dev by which it is mounted: "sda1", "mapper/vg-root".
func Disk(host discovery.HostRef, name string) cmdb.Ref {
	return cmdb.Ref{Label: cmdb.Disk, Key: host.ID + "/disk:" + name}
}

// Fits reports whether the vertex of a name that hosts choose can be kept: its key
// must fit an index.
func Fits(r cmdb.Ref) bool { return len(r.Key) <= cmdb.MaxKey }

// Address adds the vertex of an address as the host sees it.
func Address(e *cmdb.Elements, host discovery.HostRef, ip netip.Addr, private bool) cmdb.Ref {
	realm := cmdb.RealmOf(ip, private, host.HostRealm, host.SiteRealm)
	return e.AddVertex(cmdb.Address, cmdb.AddressKey(realm, ip), map[string]any{"ip": plain(ip), "realm": string(realm)})
}

// NIC adds the vertex of a hardware address. Those of a host's own bridges are
// made up by its kernel, and may be made up alike elsewhere.
func NIC(e *cmdb.Elements, host discovery.HostRef, mac string, private bool) cmdb.Ref {
	realm := host.SiteRealm
	if private {
		realm = host.HostRealm
	}
	return e.AddVertex(cmdb.NIC, cmdb.NICKey(realm, mac), map[string]any{"mac": mac, "realm": string(realm)})
}

// Endpoint adds the vertex of an endpoint and its address.
func Endpoint(e *cmdb.Elements, host discovery.HostRef, ip netip.Addr, private bool, protocol string, port uint16) cmdb.Ref {
	realm := cmdb.RealmOf(ip, private, host.HostRealm, host.SiteRealm)
	endpoint := e.AddVertex(cmdb.Endpoint, cmdb.EndpointKey(realm, ip, protocol, port), map[string]any{
		"ip": plain(ip), "protocol": protocol, "port": int64(port), "realm": string(realm),
	})
	e.AddEdge(cmdb.At, endpoint, Address(e, host, ip, private), nil)
	return endpoint
}

// plain is an address as its key spells it.
func plain(ip netip.Addr) string { return ip.Unmap().WithZone("").String() }

// MAC reads a hardware address of any length, in the one spelling that keys use.
// All zeros is none.
func MAC(s string) (string, bool) {
	mac, err := net.ParseMAC(s)
	if err != nil {
		return "", false
	}
	for _, b := range mac {
		if b != 0 {
			return mac.String(), true
		}
	}
	return "", false
}

// Text adds a property unless it is empty.
func Text(props map[string]any, name, value string) {
	if value != "" {
		props[name] = value
	}
}

// Flag adds a property if it is true.
func Flag(props map[string]any, name string, value bool) {
	if value {
		props[name] = true
	}
}
