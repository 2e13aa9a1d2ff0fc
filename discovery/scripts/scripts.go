// Package scripts is the kind "scripts": the roll of a host's script agents. Each
// of them is an executable that makes facts of a kind of its own, "x-<name>".
package scripts

import (
	"time"

	"assimilation/discovery"
)

// Directory holds the scripts of a host.
const Directory = "/etc/assim/discovery.d"

// Limits of script agents.
const (
	Max       = 32        // per host
	MaxName   = 30        // bytes, so that the kind's name fits discovery.MaxKindName
	MaxOutput = 256 << 10 // bytes of standard output

	DefaultInterval = 15 * time.Minute
	MinInterval     = time.Minute
	MaxInterval     = 7 * 24 * time.Hour
	DefaultTimeout  = 30 * time.Second
	MinTimeout      = time.Second
	MaxTimeout      = 5 * time.Minute
)

// Kind is the kind "scripts": an instance for each executable in Directory, by
// event. The instance is the kind of the script's own facts; the facts of a kind
// that is none here are gone. A script that is refused has the instance that Refused
// gives.
var Kind = discovery.Kind{
	Name: "scripts", Version: 1,
	Interval: 5 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "the host's script agents, and which of them are refused",
}

// Facts is the body.
type Facts struct {
	Interval int64  `json:"interval_seconds,omitempty" class:"internal"` // between two runs, jitter apart
	Timeout  int64  `json:"timeout_seconds,omitempty" class:"internal"`  // after which it is killed
	Refused  string `json:"refused,omitempty" class:"internal"`          // why it is not run
}

// refusedPrefix begins the instance of a script that is refused.
const refusedPrefix = "refused "

// Subject is how the problem of a refused script is called: by the name of the
// file, told from that of a kind.
func Subject(name string) string {
	if discovery.IsScript(name) {
		name = "./" + name
	}
	return discovery.Clean(name, discovery.MaxInstance-len(refusedPrefix))
}

// Refused is the instance of the script that a problem is about. It is not the
// problem's own: a fact that comes ends the problem of its name.
func Refused(subject string) string { return refusedPrefix + subject }

// KindOf is the kind of a script's facts: one instance, the object that it
// printed. Fields whose names speak of secrets hold "***".
func KindOf(name string, interval, timeout time.Duration) discovery.Kind {
	return discovery.Kind{
		Name: discovery.ScriptPrefix + name, Version: 1,
		Interval: interval, Timeout: timeout,
		Doc: "what the script agent " + name + " says",
	}
}
