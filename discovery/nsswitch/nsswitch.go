// Package nsswitch is the kind "nsswitch": where the host looks up names of users,
// groups, hosts and the like.
package nsswitch

import (
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/setting"
)

// Kind is the kind "nsswitch": one instance, from nsswitch.conf(5), by event.
var Kind = discovery.Kind{
	Name: "nsswitch", Version: 1,
	Interval: time.Hour, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "where names of users, groups and hosts are looked up",
}

// Facts is the body.
type Facts struct {
	Databases []setting.Setting `json:"databases" key:"name"` // "hosts": "files dns"; sorted by name
}
