package logindefs

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "settings", Noun: "setting", Added: "login.defs {name} set to {value}", Removed: "login.defs {name} no longer set (was {value})", Changed: []string{"login.defs {name} {value->}"}},
}
