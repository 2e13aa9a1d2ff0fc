// Package commands is the kind "commands": what can be run by its name alone.
package commands

import (
	"hash/fnv"
	"time"

	"assimilation/discovery"
)

// Instances is into how many facts a host's commands are split: a command that comes
// replaces a sixteenth, and hosts share the sixteenths in which they agree.
const Instances = 16

// Kind is the kind "commands": 16 instances "0" to "f", by Instance, from the
// directories of the system's path, by event.
var Kind = discovery.Kind{
	Name: "commands", Version: 1, Public: true,
	Interval: time.Hour, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "commands on the system's path, and with which rights they run",
}

// Instance is the instance that a command belongs to: FNV-1a of its name modulo 16,
// as a hexadecimal digit. It is part of the format: it never changes.
func Instance(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return string("0123456789abcdef"[h.Sum32()%Instances])
}

// Facts is the body of one instance. One without commands is not sent.
type Facts struct {
	Commands []Command `json:"commands" key:"name,dir" title:"dir,name"` // sorted by name, then by the order of the path
}

// Command is an executable file in a directory of the path.
type Command struct {
	Name string `json:"name" class:"public"`
	Dir  string `json:"dir" class:"public"`            // "/usr/bin"
	Link string `json:"link,omitempty" class:"public"` // where a symbolic link points to, as it says
	// Rights are those that whoever starts it gets: "setuid 0", "setgid 42", and file
	// capabilities as getcap(8) writes them, "cap_net_raw=ep".
	Rights []string `json:"rights,omitempty" class:"public"`
}
