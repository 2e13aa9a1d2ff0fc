// Package sshd is the kind "sshd": how the OpenSSH server is configured, in
// effect.
package sshd

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "sshd": one instance, from sshd_config(5) with what it
// includes, the public host keys, and the strings of the server's binary, by
// event. Without CAP_DAC_READ_SEARCH files that only root may read are missing.
var Kind = discovery.Kind{
	Name: "sshd", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "effective configuration of the OpenSSH server, and its host keys",
}

// Facts is the body. Empty fields are left out.
type Facts struct {
	Version  string    `json:"version,omitempty" class:"internal"` // "OpenSSH_9.2p1 Debian-2+deb12u10"
	Settings []Setting `json:"settings" key:"name"`                // sorted by name
	Matches  []Match   `json:"matches,omitempty" key:"criteria"`   // in the order of the file
	HostKeys []HostKey `json:"host_keys,omitempty" key:"path"`     // sorted by path
}

// Setting is one keyword, in lower case, with its value in the form of sshd -T.
type Setting struct {
	Name string `json:"name" class:"internal"`
	// Values has one element but for keywords that may be repeated.
	Values []string `json:"values,omitempty" class:"internal"`
	// Names are the values of AllowUsers, DenyGroups and the like.
	Names  []string `json:"names,omitempty" class:"personal"`
	Source string   `json:"source,omitempty" class:"internal"` // the file; absent for a default
}

// Match is what holds only for some connections.
type Match struct {
	Criteria string    `json:"criteria" class:"personal"` // "User ada"
	Settings []Setting `json:"settings" key:"name"`
}

// HostKey is the public part of a key by which the server proves who it is.
type HostKey struct {
	Path        string `json:"path" class:"internal"` // of the private key
	Type        string `json:"type" class:"internal"` // "ssh-ed25519"
	Bits        int64  `json:"bits,omitempty" class:"internal"`
	Fingerprint string `json:"fingerprint" class:"internal"` // "SHA256:..."
}
