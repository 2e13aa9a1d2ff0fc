package pam

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "services", Noun: "service", Added: "PAM service {name} added", Removed: "PAM service {name} removed"},
	{List: "services[].auth", Noun: "auth rule", Added: "PAM {of} auth: added {item}", Removed: "PAM {of} auth: removed {item}"},
	{List: "services[].account", Noun: "account rule", Added: "PAM {of} account: added {item}", Removed: "PAM {of} account: removed {item}"},
	{List: "services[].password", Noun: "password rule", Added: "PAM {of} password: added {item}", Removed: "PAM {of} password: removed {item}"},
	{List: "services[].session", Noun: "session rule", Added: "PAM {of} session: added {item}", Removed: "PAM {of} session: removed {item}"},
}
