package packages

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "packages", Noun: "package", Added: "{name} {version} installed ({arch})", Removed: "{name} {version} removed ({arch})",
		Changed: []string{"{name} {version->} ({arch})"}},
}
