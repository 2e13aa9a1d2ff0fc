// Package pam is the kind "pam": by which modules each service lets people in.
package pam

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "pam": one instance, from the files of pam.d(5), by event.
var Kind = discovery.Kind{
	Name: "pam", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "stacks of PAM modules, by service",
}

// Facts is the body.
type Facts struct {
	Services []Service `json:"services" key:"name"` // sorted by name
}

// Service has four stacks, each a list of "control module arguments" in the order
// in which they are asked. What another service's stack is taken for stands as
// "include NAME" or "substack NAME", and is a service of its own.
type Service struct {
	Name     string   `json:"name" class:"internal"`
	Auth     []string `json:"auth,omitempty" class:"internal"`
	Account  []string `json:"account,omitempty" class:"internal"`
	Password []string `json:"password,omitempty" class:"internal"`
	Session  []string `json:"session,omitempty" class:"internal"`
}
