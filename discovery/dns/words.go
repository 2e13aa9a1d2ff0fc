package dns

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "servers", Noun: "server", Added: "name server {item} added", Removed: "name server {item} removed"},
	{List: "search", Noun: "search domain", Added: "search domain {item} added", Removed: "search domain {item} removed"},
	{List: "options", Noun: "option", Added: "resolver option {item} added", Removed: "resolver option {item} removed"},
	{List: "upstream", Noun: "upstream server", Added: "upstream name server {item} added", Removed: "upstream name server {item} removed"},
	{List: "settings", Noun: "setting", Added: "resolver {name} set to {value}", Removed: "resolver {name} no longer set (was {value})", Changed: []string{"resolver {name} {value->}"}},
	{Changed: []string{"resolv.conf links to {target->}"}},
}
