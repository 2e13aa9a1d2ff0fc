// Package os is the kind "os": which operating system and kernel the host runs.
package os

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "os": one instance, from /etc/os-release (os-release(5)) and
// uname(2).
var Kind = discovery.Kind{
	Name: "os", Version: 1,
	Interval: 15 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "operating system release and running kernel",
}

// Facts is the body. Empty strings are left out.
type Facts struct {
	Release Release `json:"release"`
	Kernel  Kernel  `json:"kernel"`
}

// Release is what os-release(5) says, without the fields that are only links.
type Release struct {
	ID           string `json:"id" class:"internal"` // "debian"; "linux" where the file is missing
	IDLike       string `json:"id_like,omitempty" class:"internal"`
	Name         string `json:"name,omitempty" class:"internal"`
	PrettyName   string `json:"pretty_name,omitempty" class:"internal"`
	Version      string `json:"version,omitempty" class:"internal"`
	VersionID    string `json:"version_id,omitempty" class:"internal"`
	Codename     string `json:"version_codename,omitempty" class:"internal"`
	Variant      string `json:"variant,omitempty" class:"internal"`
	BuildID      string `json:"build_id,omitempty" class:"internal"`
	ImageID      string `json:"image_id,omitempty" class:"internal"`
	ImageVersion string `json:"image_version,omitempty" class:"internal"`
}

// Kernel is what uname(2) says, without the node name (who the host is, is no
// fact).
type Kernel struct {
	Name    string `json:"name" class:"internal"`    // "Linux"
	Release string `json:"release" class:"internal"` // "6.1.0-25-amd64"
	Version string `json:"version" class:"internal"` // build number and date
	Machine string `json:"machine" class:"internal"` // "x86_64"
}
