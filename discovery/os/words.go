package os

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "{release.pretty_name}[, {kernel.name}][ {kernel.release}]",
		Changed: []string{"{release.pretty_name->}[, version {release.version->}][, id {release.version_id->}][, {release.version_codename->}]",
			"kernel {kernel.release->}[ ({kernel.version->})]",
			"kernel build {kernel.version->}", "release {release.version_id->}[ ({release.version->})]"}},
}
