package commands

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "commands", Noun: "command", Added: "command {dir}/{name} appeared[ -> {link}][ (with {rights})]", Removed: "command {dir}/{name} gone",
		Changed: []string{"command {dir}/{name} rights: {rights->}", "command {dir}/{name} links to {link->}"}},
}
