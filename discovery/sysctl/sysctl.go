// Package sysctl is the kind "sysctl": the parameters of the running kernel.
package sysctl

import (
	"path"
	"strings"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/setting"
)

// Kind is the kind "sysctl": one instance for each directory under /proc/sys
// (proc_sys(5)), so that one parameter that changes is one small fact. The kernel
// tells nobody of changes; but a new link has parameters of its own.
var Kind = discovery.Kind{
	Name: "sysctl", Version: 1,
	Interval: 15 * time.Minute, Timeout: 10 * time.Second,
	After: []string{"network"},
	Body:  Facts{},
	Doc:   "parameters of the running kernel",
}

// Facts is the body.
type Facts struct {
	Parameters []setting.Setting `json:"parameters" key:"name"` // sorted by path; blanks in values are one space
}

// leftOut are patterns (path.Match) of parameters that are no facts.
var leftOut = []string{
	// Counters, and what the kernel works out as it goes.
	"fs/*-nr", "fs/*-state", "fs/dentry-negative", "fs/quota/*", "fs/binfmt_misc/*", "kernel/ns_last_pid", "kernel/pty/nr",
	"kernel/perf_event_max_sample_rate", "kernel/random/entropy_avail", "kernel/*_next_id", "kernel/hung_task_detect_count",
	"kernel/hung_task_warnings", "kernel/sched_domain/*/*/*", "net/netfilter/nf_conntrack_count", "net/ipv4/route/gc_*",
	"net/ipv6/route/gc_*", "dev/cdrom/info", "sunrpc/transports", "vm/stat_refresh", "fs/nfs/nlm_*port",
	// Older units of what is there in milliseconds.
	"net/*/neigh/*/base_reachable_time", "net/*/neigh/*/retrans_time",
	// Who the host is, or a secret.
	"kernel/hostname", "kernel/domainname", "kernel/random/boot_id", "kernel/random/uuid", "net/ipv4/tcp_fastopen_key",
	"net/ipv6/conf/*/stable_secret", "net/core/netdev_rss_key",
	// Facts of the kinds "os" and "kernel".
	"kernel/osrelease", "kernel/ostype", "kernel/version", "kernel/tainted",
	// Of interfaces that come and go with containers and guests.
	"net/*/*/veth*/*", "net/*/*/docker*/*", "net/*/*/br-*/*", "net/*/*/cali*/*", "net/*/*/cni*/*", "net/*/*/flannel*/*", "net/*/*/vnet*/*",
	"net/*/*/tap*/*", "net/*/*/virbr*/*", "net/*/*/lxc*/*", "net/*/*/ifb*/*",
}

// LeftOut reports whether a parameter, by its path under /proc/sys, is no fact.
func LeftOut(name string) bool {
	for _, pattern := range leftOut {
		// The first letters decide mostly, and are compared without a call.
		if pattern[0] != name[0] {
			continue
		}
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

// Name is how sysctl(8) writes a path: with points for slashes, and the reverse
// for a point within a name.
func Name(path string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '.'
		case '.':
			return '/'
		}
		return r
	}, path)
}
