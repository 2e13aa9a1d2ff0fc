// Package mounts is the kind "mounts": the filesystems that the host has
// mounted, and where.
package mounts

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "mounts": one instance, from /proc/1/mountinfo (proc(5)), by
// event. Without CAP_SYS_PTRACE a probe in a mount namespace of its own does not
// learn how large filesystems are.
var Kind = discovery.Kind{
	Name: "mounts", Version: 1,
	Needs:    []discovery.Capability{discovery.SysPtrace},
	Interval: 15 * time.Minute, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "mounted filesystems, their options and sizes",
}

// Facts is the body.
type Facts struct {
	Filesystems []Filesystem `json:"filesystems" key:"target"` // sorted by target
}

// Filesystem is what one directory shows. How full it is, is no fact.
type Filesystem struct {
	Target string `json:"target" class:"internal"`
	Source string `json:"source" class:"internal"`         // "/dev/sda1", "server:/export"; without user names
	Root   string `json:"root,omitempty" class:"internal"` // the part of the source that is mounted, if not the whole
	Type   string `json:"type" class:"internal"`           // "ext4", "nfs4"
	// Options that were chosen, sorted; not what the kernel worked out, such as
	// buffer sizes and addresses.
	Options []string `json:"options" class:"internal"`
	Remote  bool     `json:"remote,omitempty" class:"internal"` // from the network, or behind a program
	Bytes   int64    `json:"bytes,omitempty" class:"internal"`  // size; absent where asking might hang, or the answer varies
}
