// Package sudoers is the kind "sudoers": who may run what as whom.
package sudoers

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "sudoers": one instance, from sudoers(5) with what it includes,
// by event. Rules in a directory service are none of the host's own.
var Kind = discovery.Kind{
	Name: "sudoers", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "who may run what as whom by sudo",
}

// Facts is the body, in the order of the files: of several rules the last holds.
type Facts struct {
	Defaults []Default `json:"defaults,omitempty" key:"scope,setting"`
	Aliases  []Alias   `json:"aliases,omitempty" key:"kind,name"`
	Rules    []Rule    `json:"rules" key:"who,hosts,run_as,tags,command" title:"who,hosts,command"`
}

// Default is one option.
type Default struct {
	Scope   string `json:"scope,omitempty" class:"personal"` // "@host", ":user", "!command", ">user"; absent for all
	Setting string `json:"setting" class:"internal"`         // "env_reset", "!lecture", "secure_path=..."
	Source  string `json:"source" class:"internal"`
}

// Alias is a name for a list.
type Alias struct {
	Kind    string   `json:"kind" class:"internal"` // "User_Alias"
	Name    string   `json:"name" class:"internal"`
	Members []string `json:"members" class:"personal"`
	Source  string   `json:"source" class:"internal"`
}

// Rule is one command that somebody may run, or with "!" before it may not.
type Rule struct {
	Who     string `json:"who" class:"personal"` // "ada,%wheel"
	Hosts   string `json:"hosts" class:"internal"`
	RunAs   string `json:"run_as,omitempty" class:"personal"` // "root", "ALL:ALL"; absent for root
	Tags    string `json:"tags,omitempty" class:"internal"`   // "NOPASSWD SETENV"
	Command string `json:"command" class:"internal"`          // without secrets
	Source  string `json:"source" class:"internal"`
}
