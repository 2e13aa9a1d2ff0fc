// Package auditd is the kind "auditd": how the host keeps its audit log, and what
// it audits.
package auditd

import (
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/setting"
)

// Kind is the kind "auditd": one instance, from auditd.conf(5) and the files of
// audit.rules(7), by event.
var Kind = discovery.Kind{
	Name: "auditd", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "the audit daemon's configuration and its rules",
}

// Facts is the body.
type Facts struct {
	Settings []setting.Setting `json:"settings,omitempty" key:"name"`    // sorted by name, in lower case
	Rules    []string          `json:"rules,omitempty" class:"internal"` // in the order in which they are loaded
}
