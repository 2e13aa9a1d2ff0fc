// Package network is the kind "network": the host's links, their addresses and
// its routes.
package network

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "network": one instance, from rtnetlink(7), by event.
var Kind = discovery.Kind{
	Name: "network", Version: 1,
	Interval: 5 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "links, addresses and routes",
}

// Facts is the body. Lists are sorted by their key fields.
type Facts struct {
	Links  []Link  `json:"links" key:"name"`
	Routes []Route `json:"routes" key:"family,table,destination,metric,device,gateway,type" title:"destination,gateway,device"`
}

// Link is one network interface.
type Link struct {
	Name      string `json:"name" class:"internal"`
	Kind      string `json:"kind,omitempty" class:"internal"` // IFLA_INFO_KIND: bridge, veth, vlan, bond...; empty for hardware
	Type      string `json:"type" class:"internal"`           // ether, loopback, none... (ARPHRD_*)
	MAC       string `json:"mac,omitempty" class:"internal"`  // lower case, colons; absent for loopback and where there is none
	MTU       int64  `json:"mtu" class:"internal"`
	AdminUp   bool   `json:"admin_up" class:"internal"`
	OperState string `json:"oper_state" class:"internal"` // RFC 2863 as the kernel prints it: up, down, unknown, lowerlayerdown, dormant...
	Master    string `json:"master,omitempty" class:"internal"`
	Parent    string `json:"parent,omitempty" class:"internal"` // IFLA_LINK within the same namespace
	// Private: a bridge whose members are all virtual ends on this host (docker0,
	// virbr0), and the links stacked on it (VLANs). Its addresses, and what is
	// reached through it, mean something on this host only. Its members are not
	// private themselves.
	Private   bool      `json:"private,omitempty" class:"internal"`
	Addresses []Address `json:"addresses,omitempty" key:"ip,prefix"`
}

// Address is one address of a link.
type Address struct {
	IP        string `json:"ip" class:"internal"`
	Prefix    int64  `json:"prefix" class:"internal"`
	Scope     string `json:"scope" class:"internal"` // global, site, link, host
	Peer      string `json:"peer,omitempty" class:"internal"`
	Dynamic   bool   `json:"dynamic,omitempty" class:"internal"`   // has a lifetime
	Temporary bool   `json:"temporary,omitempty" class:"internal"` // RFC 8981 privacy address
}

// Route is one route of a table other than "local" (255), without cache entries.
type Route struct {
	Family      string `json:"family" class:"internal"`      // inet, inet6
	Table       int64  `json:"table" class:"internal"`       // 254 is main
	Destination string `json:"destination" class:"internal"` // CIDR; 0.0.0.0/0 and ::/0 for default
	Gateway     string `json:"gateway,omitempty" class:"internal"`
	Device      string `json:"device,omitempty" class:"internal"`
	Source      string `json:"source,omitempty" class:"internal"` // preferred source
	Metric      int64  `json:"metric,omitempty" class:"internal"`
	Protocol    string `json:"protocol" class:"internal"` // kernel, boot, static, dhcp, ra, bgp... or the number
	Scope       string `json:"scope" class:"internal"`    // global, site, link, host, nowhere
	Type        string `json:"type" class:"internal"`     // unicast, blackhole, unreachable, prohibit...
	// NextHops of a multipath route; Gateway and Device are then empty.
	NextHops []NextHop `json:"next_hops,omitempty" key:"gateway,device"`
}

// NextHop is one leg of a multipath route.
type NextHop struct {
	Gateway string `json:"gateway,omitempty" class:"internal"`
	Device  string `json:"device" class:"internal"`
	Weight  int64  `json:"weight" class:"internal"`
}
