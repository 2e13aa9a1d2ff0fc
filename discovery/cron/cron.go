// Package cron is the kind "cron": what the host runs by the clock, beside the
// timers of systemd.
package cron

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "cron": one instance, from the files of crontab(5), anacrontab(5)
// and at(1), by event. Without CAP_DAC_READ_SEARCH the users' own are missing.
var Kind = discovery.Kind{
	Name: "cron", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "what is run by the clock: crontabs, cron.daily and the like, anacron, at",
}

// Facts is the body. Empty lists are left out.
type Facts struct {
	Entries []Entry  `json:"entries" key:"source,user,schedule,command" title:"source,user,command"` // by source, in the order of the file
	Scripts []Script `json:"scripts,omitempty" key:"period,name"`                                    // by period, then name
	Once    []Once   `json:"once,omitempty" key:"job"`                                               // sorted by job
}

// Entry is one line of a crontab.
type Entry struct {
	Source   string `json:"source" class:"personal"`   // the file: those of users have their names
	Schedule string `json:"schedule" class:"internal"` // "17 * * * *", "@reboot", "7 days after 5 minutes"
	User     string `json:"user,omitempty" class:"personal"`
	Command  string `json:"command" class:"personal"` // without secrets
}

// Script is a file that is run once in a period.
type Script struct {
	Period string `json:"period" class:"internal"` // "daily"
	Name   string `json:"name" class:"internal"`
	// Off: it is not executable, or has a name that run-parts(8) passes over.
	Off bool `json:"off,omitempty" class:"internal"`
}

// Once is a job of at(1) that waits.
type Once struct {
	Job  string `json:"job" class:"internal"`  // queue and number: "a 12"
	Time string `json:"time" class:"internal"` // RFC 3339, UTC
}
