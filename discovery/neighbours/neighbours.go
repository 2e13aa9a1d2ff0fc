// Package neighbours is the kind "neighbours": who else this host's kernel has
// met on its links.
package neighbours

import (
	"time"

	"assimilation/discovery"
)

// KeepAfterLastSight is how long a neighbour stays in the fact after the kernel
// last called it reachable or stale: the kernel forgets within minutes, and
// forgetting is no news.
const KeepAfterLastSight = 4 * time.Hour

// Kind is the kind "neighbours": one instance, from the kernel's ARP and ND
// tables (rtnetlink(7) RTM_NEWNEIGH), by event. States are no part of it.
var Kind = discovery.Kind{
	Name: "neighbours", Version: 1,
	Interval: 5 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "addresses that the host's kernel has resolved on its links",
}

// Facts is the body, sorted by device, then address.
type Facts struct {
	Neighbours []Neighbour `json:"neighbours" key:"device,ip" title:"ip,device"`
}

// Neighbour is one resolved address. Multicast, broadcast, failed and
// incomplete entries, and those of loopback, are left out.
type Neighbour struct {
	Device string `json:"device" class:"internal"`
	IP     string `json:"ip" class:"internal"`
	MAC    string `json:"mac" class:"internal"`
	Router bool   `json:"router,omitempty" class:"internal"` // NTF_ROUTER: IPv6 router
	// Private: seen behind a bridge of the host's own (network.Link.Private).
	Private bool `json:"private,omitempty" class:"internal"`
}
