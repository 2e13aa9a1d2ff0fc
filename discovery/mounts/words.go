package mounts

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "filesystems", Noun: "mount", Added: "mount {target} added ({source}, {type})", Removed: "mount {target} removed ({source}, {type})",
		Changed: []string{"mount {target} {source->}", "mount {target} options: {options->}", "mount {target} {bytes:size->}", "mount {target} type {type->}"}},
}
