// Package processes is the kind "processes": what the services of the host are
// made of while they run: programs, libraries, jars, units.
package processes

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "processes": one instance. It follows the kind "sockets", whose
// services these are, and reads proc(5); without CAP_SYS_PTRACE the files of other
// users' processes are not known.
var Kind = discovery.Kind{
	Name: "processes", Version: 1,
	After:    []string{"sockets"},
	Needs:    []discovery.Capability{discovery.SysPtrace, discovery.DACReadSearch},
	Interval: 15 * time.Minute, Timeout: 20 * time.Second,
	Body: Facts{},
	Doc:  "the processes of services: unit, libraries, jars, and what waits for a restart",
}

// Facts is the body.
type Facts struct {
	Processes []Process `json:"processes" key:"exe,argv,uid,gid,container" title:"name"` // sorted by these
}

// Process is a group of identical processes, the same as a Service of the kind
// "sockets": same executable, arguments, user, group and container. How many they
// are, and their pids, are no fact.
type Process struct {
	Name      string   `json:"name" class:"internal"` // base name of the executable
	Exe       string   `json:"exe" class:"internal"`
	Argv      []string `json:"argv,omitempty" class:"personal"` // secrets replaced by "***"
	UID       int64    `json:"uid" class:"internal"`            // effective
	GID       int64    `json:"gid" class:"internal"`
	Container string   `json:"container,omitempty" class:"internal"` // 64 hex digits from the cgroup path
	Units     []string `json:"units,omitempty" class:"internal"`     // of systemd, such as "nginx.service", sorted
	// Libraries are the files that are mapped for execution beside the executable,
	// sorted. Of a process in a container they are not listed: they are those of its
	// image.
	Libraries []string `json:"libraries,omitempty" class:"internal"`
	Jars      []string `json:"jars,omitempty" class:"internal"` // of a Java: on its class path or open, sorted
	// Stale are those files that were replaced or removed since a process loaded
	// them, the executable among them: it runs what they were before, and needs a
	// restart. Sorted.
	Stale []string `json:"stale,omitempty" class:"internal"`
}
