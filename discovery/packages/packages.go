// Package packages is the kind "packages": what the package manager installed.
package packages

import (
	"hash/fnv"
	"time"

	"assimilation/discovery"
)

// Instances is into how many facts a host's packages are split: an upgrade of
// one package replaces a sixteenth, and hosts share the sixteenths in which
// they agree.
const Instances = 16

// Kind is the kind "packages": 16 instances "0" to "f", read from the package
// database's own files, by inotify(7).
var Kind = discovery.Kind{
	Name: "packages", Version: 1, Public: true,
	Interval: 15 * time.Minute, Timeout: 20 * time.Second,
	Body: Facts{},
	Doc:  "installed packages with version, architecture and licence",
}

// Instance is the instance that a package name belongs to: FNV-1a of the name
// modulo 16, as a hexadecimal digit. It is part of the format: it never changes.
func Instance(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return string("0123456789abcdef"[h.Sum32()%Instances])
}

// Facts is the body of one instance, sorted by name, then architecture, then
// version. All 16 instances are always sent, empty ones too.
type Facts struct {
	Manager  string    `json:"manager" class:"public"` // dpkg, rpm, apk
	Packages []Package `json:"packages" key:"name,arch"`
}

// Package is one installed package (dpkg: state "installed" whatever the
// selection; not those of which only configuration files are left). rpm may hold
// several versions of one name and architecture, such as kernels.
type Package struct {
	Name    string `json:"name" class:"public"`
	Version string `json:"version" class:"public"`
	Arch    string `json:"arch" class:"public"`
	License string `json:"license,omitempty" class:"public"` // as the database says, at most 1 KiB; dpkg's does not
}
