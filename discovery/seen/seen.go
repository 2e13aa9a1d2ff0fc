// Package seen is the kind "seen": who else speaks on the host's links, heard by
// listening to ARP (RFC 826) and Neighbor Discovery (RFC 4861) alone.
package seen

import (
	"strconv"
	"time"

	"assimilation/discovery"
)

// KeepAfterLastSight is how long somebody stays in the facts after being heard
// last.
const KeepAfterLastSight = 4 * time.Hour

// Instances is how many parts the hosts of a link are spread over, so that one
// that comes or goes changes a small fact.
const Instances = 16

// Kind is the kind "seen": Instances instances, the hash of the IP address says
// which; from ARP and ND frames that are listened for on AF_PACKET sockets.
var Kind = discovery.Kind{
	Name: "seen", Version: 1,
	Needs:    []discovery.Capability{discovery.NetRaw},
	Interval: 5 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "addresses heard on the host's links by ARP and Neighbor Discovery",
}

// Facts is the body, sorted by interface, then address.
type Facts struct {
	Seen []Seen `json:"seen" key:"interface,ip" title:"ip,interface"`
}

// Seen is an address that somebody claimed, and the hardware address with it.
// The host's own are left out.
type Seen struct {
	Interface string `json:"interface" class:"internal"`
	IP        string `json:"ip" class:"internal"`
	MAC       string `json:"mac" class:"internal"`
	Router    bool   `json:"router,omitempty" class:"internal"` // it sent router advertisements
}

// Instance names the instance that an address belongs to.
func Instance(ip string) string {
	h := uint32(2166136261) // FNV-1a
	for i := range len(ip) {
		h = (h ^ uint32(ip[i])) * 16777619
	}
	return strconv.FormatUint(uint64(h%Instances), 16)
}
