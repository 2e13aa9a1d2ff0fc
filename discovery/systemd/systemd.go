// Package systemd is the kind "systemd": the units that the host has, which of
// them start by themselves, and which services run.
package systemd

import (
	"time"

	"assimilation/discovery"
)

// Running is the instance that tells which services run, so that one that comes or
// goes is a small fact. The other instances are the types of units: "service".
const Running = "running"

// Kind is the kind "systemd": an instance for each type of unit, from the
// directories of systemd.unit(5), by event; and one of what runs, from the cgroups.
var Kind = discovery.Kind{
	Name: "systemd", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: 15 * time.Minute, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "units, whether they start by themselves, timers, and which services run",
}

// State is how systemctl(1) calls what is known of a unit from its files.
type State = string

// The states.
const (
	Enabled   State = "enabled"
	Runtime   State = "enabled-runtime" // until the next start
	Disabled  State = "disabled"
	Static    State = "static" // has nothing by which it could be enabled
	Masked    State = "masked"
	Alias     State = "alias"
	Indirect  State = "indirect"  // others are enabled in its place
	Generated State = "generated" // made of another configuration at the start
	Transient State = "transient"
)

// Facts is the body.
type Facts struct {
	Units   []Unit   `json:"units,omitempty" key:"name"`         // sorted by name
	Running []string `json:"running,omitempty" class:"internal"` // sorted
	// Stopped services start by themselves, and have no processes now. Those that run
	// for a moment only, and those with a condition that may keep them from starting,
	// are not told. Of the instance "running" too. Sorted.
	Stopped []string `json:"stopped,omitempty" class:"internal"`
}

// Unit is one unit file with what overrides it.
type Unit struct {
	Name    string   `json:"name" class:"internal"`
	State   State    `json:"state" class:"internal"`
	Path    string   `json:"path,omitempty" class:"internal"`     // where it is not the vendor's directory
	Of      string   `json:"of,omitempty" class:"internal"`       // of an alias
	DropIns []string `json:"drop_ins,omitempty" class:"internal"` // names of files that override parts, sorted
	Exec    []string `json:"exec,omitempty" class:"personal"`     // commands, without secrets
	User    string   `json:"user,omitempty" class:"personal"`
	// Triggers is when a timer, or by what a socket or path, starts its unit.
	Triggers []string `json:"triggers,omitempty" class:"internal"` // "OnCalendar=daily", "ListenStream=22"
}
