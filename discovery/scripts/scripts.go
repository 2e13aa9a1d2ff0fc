// Package scripts is the kind "scripts": the roll of a host's script agents. Each
// of them is an executable that makes facts of a kind of its own, "x-<name>".
package scripts

import (
	"encoding/json"
	"fmt"
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

// Kind is the kind "scripts": one instance, from Directory, by event; none where
// that is empty. The kinds of its members that are not listed have no facts.
var Kind = discovery.Kind{
	Name: "scripts", Version: 1,
	Interval: 5 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "the host's script agents, and which of them are refused",
}

// Facts is the body.
type Facts struct {
	Scripts []Script `json:"scripts" key:"name"` // sorted by name
}

// Script is one executable in Directory.
type Script struct {
	Name     string `json:"name" class:"internal"`                       // of the file
	Kind     string `json:"kind,omitempty" class:"internal"`             // of its facts; none where it is refused
	Interval int64  `json:"interval_seconds,omitempty" class:"internal"` // between two runs, jitter apart
	Timeout  int64  `json:"timeout_seconds,omitempty" class:"internal"`  // after which it is killed
	Refused  string `json:"refused,omitempty" class:"internal"`          // why it is not run
}

// KindOf is the kind of a script's facts: one instance, the object that it
// printed. Fields whose names speak of secrets hold "***".
func KindOf(name string, interval, timeout time.Duration) discovery.Kind {
	return discovery.Kind{
		Name: discovery.ScriptPrefix + name, Version: 1,
		Interval: interval, Timeout: timeout,
		Doc: "what the script agent " + name + " says",
	}
}

// Listed are the kinds of the scripts that a host has, as a fact of this kind says.
func Listed(fact discovery.Fact) (map[string]bool, error) {
	var body Facts
	if err := json.Unmarshal(fact.Body, &body); err != nil {
		return nil, fmt.Errorf("reading the roll of scripts: %w", err)
	}
	kinds := make(map[string]bool, len(body.Scripts))
	for _, s := range body.Scripts {
		if s.Kind != "" {
			kinds[s.Kind] = true
		}
	}
	return kinds, nil
}
