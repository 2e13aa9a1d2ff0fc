package checksums

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "files", Noun: "file", Added: "{path}: looked at from now on ({role}[, sha256 {sha256:8}], {bytes} bytes)",
		Removed: "{path}: gone, or no longer loaded",
		Changed: []string{"{path}: content changed (sha256 {sha256:8->}[, {bytes->} bytes])", "{path}: content changed ({bytes->} bytes)",
			"{path}: {stale?processes still run what was there before|no process runs what was there before}", "{path}: role {role->}"}},
}
