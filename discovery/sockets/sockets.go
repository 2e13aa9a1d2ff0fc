// Package sockets is the kind "sockets": which programs listen, where, and
// whose clients they are.
package sockets

import (
	"time"

	"assimilation/discovery"
)

// Timing of the kind.
const (
	// PollListeners is how often the kernel's list of listening sockets is read.
	PollListeners = 5 * time.Second
	// KeepClient is how long a client connection stays in the fact after it was
	// last seen.
	KeepClient = 24 * time.Hour
)

// Kind is the kind "sockets": one instance. The list of sockets comes from
// sock_diag(7); /proc is read only for sockets not seen before. Without
// CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH other users' sockets have no process.
var Kind = discovery.Kind{
	Name: "sockets", Version: 1,
	Needs:    []discovery.Capability{discovery.SysPtrace, discovery.DACReadSearch},
	Interval: PollListeners, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "services, the endpoints they listen on, and the endpoints they are clients of",
}

// Facts is the body: services sorted by their key fields.
type Facts struct {
	Services []Service `json:"services" key:"exe,argv,uid,gid,container" title:"name"`
}

// Service is a group of identical processes: same executable, arguments, user,
// group and container. How many they are, and their pids, are no fact.
// Sockets whose process is not known (no right, or the kernel's own) form
// services without Exe.
type Service struct {
	Name      string   `json:"name" class:"internal"`           // base name of the executable, or comm; "kernel", "unknown"
	Exe       string   `json:"exe,omitempty" class:"internal"`  // /proc/PID/exe, without " (deleted)"
	Argv      []string `json:"argv,omitempty" class:"personal"` // secrets replaced by "***", at most 64 arguments of 256 bytes
	UID       int64    `json:"uid" class:"internal"`            // effective; -1 unknown
	GID       int64    `json:"gid" class:"internal"`
	Container string   `json:"container,omitempty" class:"internal"` // 64 hex digits from the cgroup path
	Listens   []Listen `json:"listens,omitempty" key:"protocol,ip,port,device" title:"protocol,ip:port,device"`
	// Connects holds the endpoints this service is a client of. The service's
	// own ephemeral ports, and connections it accepted, are no fact.
	Connects []Connect `json:"connects,omitempty" key:"protocol,ip,port" title:"protocol,ip:port"`
}

// Listen is one endpoint, a wildcard listener expanded to the addresses that
// the host owns (Wildcard then says so): 0.0.0.0 and dual-stack :: included.
// For UDP it is a socket that is bound and not connected; one on an ephemeral
// port counts when it stood for 30 s.
type Listen struct {
	Protocol string `json:"protocol" class:"internal"` // tcp, udp
	IP       string `json:"ip" class:"internal"`
	Port     int64  `json:"port" class:"internal"`
	Device   string `json:"device,omitempty" class:"internal"` // bound to a link, or the zone of a link-local address
	// Wildcard is "0.0.0.0" or "::" when the socket was bound to it.
	Wildcard string `json:"wildcard,omitempty" class:"internal"`
	Private  bool   `json:"private,omitempty" class:"internal"` // address of a private link
}

// Connect is the remote end of a client connection.
type Connect struct {
	Protocol string `json:"protocol" class:"internal"`
	IP       string `json:"ip" class:"internal"`
	Port     int64  `json:"port" class:"internal"`
	Private  bool   `json:"private,omitempty" class:"internal"` // reached through a private link, or own address of one
}
