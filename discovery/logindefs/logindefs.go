// Package logindefs is the kind "logindefs": what holds for accounts when they are
// made and for passwords when they are changed.
package logindefs

import (
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/setting"
)

// Kind is the kind "logindefs": one instance, from login.defs(5), by event.
var Kind = discovery.Kind{
	Name: "logindefs", Version: 1,
	Interval: time.Hour, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "rules for new accounts and passwords (login.defs)",
}

// Facts is the body. What the file does not name is not listed: the defaults are
// those of each program.
type Facts struct {
	Settings []setting.Setting `json:"settings" key:"name"` // sorted by name
}
