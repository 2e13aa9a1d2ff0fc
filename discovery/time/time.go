// Package time is the kind "time": from where the host has its time.
package time

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "time": one instance, from the files of chrony, ntpd, timesyncd
// and ptp4l, the time zone, and adjtimex(2), by event.
var Kind = discovery.Kind{
	Name: "time", Version: 1,
	Interval: 15 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "time zone, time servers, and whether the clock is synchronised",
}

// Facts is the body.
type Facts struct {
	Zone          string   `json:"zone,omitempty" class:"internal"`             // "Europe/Berlin"
	HardwareClock string   `json:"hardware_clock,omitempty" class:"internal"`   // "UTC", "LOCAL"
	Synchronised  bool     `json:"synchronised" class:"internal"`               // so the kernel was told
	Sources       []Source `json:"sources,omitempty" key:"daemon,type,address"` // in the order of the files
}

// Source is a place from where a daemon is told to have the time.
type Source struct {
	Daemon  string `json:"daemon" class:"internal"` // "chrony", "ntp", "timesyncd", "ptp4l"
	Type    string `json:"type" class:"internal"`   // "server", "pool", "peer", "fallback", "refclock", "interface"
	Address string `json:"address" class:"internal"`
	Options string `json:"options,omitempty" class:"internal"` // "iburst minpoll 4"
}
