package nsswitch

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "databases", Noun: "database", Added: "{name} looked up in {value}", Removed: "{name} no longer looked up in {value}", Changed: []string{"{name} looked up in {value->}"}},
}
