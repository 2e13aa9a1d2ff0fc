package os

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "{release.pretty_name}[, {kernel.name}][ {kernel.release}]",
		Along: []string{"release.version", "release.version_id", "release.version_codename", "release.name", "kernel.version"},
		Changed: []string{"{release.pretty_name->}",
			"kernel {kernel.release->}",
			"kernel build {kernel.version->}", "release {release.version_id->}[ ({release.version->})]"}},
}
