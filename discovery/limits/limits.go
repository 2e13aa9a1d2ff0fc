// Package limits is the kind "limits": how much sessions of users may take.
package limits

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "limits": one instance, from the files of limits.conf(5), by
// event.
var Kind = discovery.Kind{
	Name: "limits", Version: 1,
	Interval: time.Hour, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "limits of sessions: open files, processes, memory",
}

// Facts is the body.
type Facts struct {
	Limits []Limit `json:"limits" key:"domain,type,item"` // in the order of the files; of several the last holds
}

// Limit is one line.
type Limit struct {
	Domain string `json:"domain" class:"personal"` // "ada", "@group", "*", "1000:2000"
	Type   string `json:"type" class:"internal"`   // "soft", "hard", "-" for both
	Item   string `json:"item" class:"internal"`   // "nofile"
	Value  string `json:"value" class:"internal"`
	Source string `json:"source" class:"internal"`
}
