// Package dns is the kind "dns": whom the host asks for names.
package dns

import (
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/setting"
)

// Kind is the kind "dns": one instance, from resolv.conf(5), resolved.conf(5) and
// NetworkManager.conf(5), by event.
var Kind = discovery.Kind{
	Name: "dns", Version: 1,
	Interval: 15 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "name servers, search domains and who manages them",
}

// Facts is the body. Empty fields are left out.
type Facts struct {
	Servers  []string          `json:"servers,omitempty" class:"internal"`  // in the order in which they are asked
	Search   []string          `json:"search,omitempty" class:"internal"`   // in the order in which they are tried
	Options  []string          `json:"options,omitempty" class:"internal"`  // "timeout:1", "edns0"
	Target   string            `json:"target,omitempty" class:"internal"`   // where /etc/resolv.conf links to: who manages it
	Upstream []string          `json:"upstream,omitempty" class:"internal"` // servers that systemd-resolved asks in turn
	Settings []setting.Setting `json:"settings,omitempty" key:"name"`       // "Resolve.DNSSEC", "main.dns"; sorted by name
}
