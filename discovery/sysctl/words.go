package sysctl

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "parameters", Noun: "parameter", Added: "{name} {value} (new)", Removed: "{name} gone (was {value})", Changed: []string{"{name} {value->}"}},
}
