// Package users is the kind "users": the accounts and groups that the host keeps
// itself.
package users

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "users": one instance, from passwd(5), group(5) and
// shadow(5), by event. Accounts of a directory service are none of the host's
// own. Without CAP_DAC_READ_SEARCH it is not known which passwords are set.
var Kind = discovery.Kind{
	Name: "users", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: 15 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "local accounts and groups, and who can log in",
}

// Facts is the body.
type Facts struct {
	Users  []User  `json:"users" key:"name,uid" title:"name"` // sorted by name, then uid
	Groups []Group `json:"groups" key:"name,gid" title:"name"`
}

// Password says what shadow(5) holds of an account. What stands there never
// leaves the collector.
type Password = string

// The states of a password; "" where shadow could not be read.
const (
	PasswordSet    Password = "set"
	PasswordEmpty  Password = "empty"  // anybody may log in
	PasswordLocked Password = "locked" // by none; keys may still do
)

// User is one account.
type User struct {
	Name  string `json:"name" class:"personal"`
	UID   int64  `json:"uid" class:"internal"`
	GID   int64  `json:"gid" class:"internal"`
	Gecos string `json:"gecos,omitempty" class:"personal"` // full name, and what else people write there
	Home  string `json:"home,omitempty" class:"personal"`
	Shell string `json:"shell,omitempty" class:"internal"` // "" means /bin/sh
	// Login: the shell is one that lets somebody in. Whether by password or key
	// is another question.
	Login    bool     `json:"login,omitempty" class:"internal"`
	Password Password `json:"password,omitempty" class:"internal"`
}

// Group is one group. Members are those listed; the accounts whose own group it
// is, are members too.
type Group struct {
	Name    string   `json:"name" class:"internal"`
	GID     int64    `json:"gid" class:"internal"`
	Members []string `json:"members,omitempty" class:"personal"` // sorted
}
