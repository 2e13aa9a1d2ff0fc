// Package kernel is the kind "kernel": how the running kernel was started, what it
// has loaded, and how it guards itself.
package kernel

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "kernel": one instance, from /proc and /sys. The kernel tells
// nobody of changes. Which release runs is in the kind "os".
var Kind = discovery.Kind{
	Name: "kernel", Version: 1,
	Interval: 15 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "the kernel's command line, modules, taints, lockdown and mitigations",
}

// Facts is the body. Empty fields are left out.
type Facts struct {
	CommandLine     []string `json:"command_line,omitempty" class:"internal"`     // without secrets
	Lockdown        string   `json:"lockdown,omitempty" class:"internal"`         // "none", "integrity", "confidentiality"
	SecureBoot      string   `json:"secure_boot,omitempty" class:"internal"`      // "on", "off"; absent where there is no UEFI
	SecurityModules []string `json:"security_modules,omitempty" class:"internal"` // in the order in which they are asked
	Clock           string   `json:"clock,omitempty" class:"internal"`            // "tsc"
	// Taints are the letters of tainted-kernels(rst), in the order of their bits.
	Taints          string          `json:"taints,omitempty" class:"internal"`
	Modules         []Module        `json:"modules,omitempty" key:"name"`         // sorted by name
	Vulnerabilities []Vulnerability `json:"vulnerabilities,omitempty" key:"name"` // sorted by name
}

// Module is a loaded module. How often it is used is no fact.
type Module struct {
	Name    string `json:"name" class:"internal"`
	Version string `json:"version,omitempty" class:"internal"`
	Taints  string `json:"taints,omitempty" class:"internal"` // "OE": out of tree, not signed
}

// Vulnerability is a flaw of processors, and what the kernel does about it.
type Vulnerability struct {
	Name  string `json:"name" class:"internal"`  // "spectre_v2"
	State string `json:"state" class:"internal"` // "Not affected", "Vulnerable...", "Mitigation: ..."
}
