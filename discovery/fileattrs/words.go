package fileattrs

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "files", Noun: "path", Added: "{path} appeared ({type}, mode {mode}, owner {uid}:{gid})", Removed: "{path} gone ({type}, mode {mode}, owner {uid}:{gid})",
		Changed: []string{"{path} mode {mode->}[, owner {uid->}][, group {gid->}]", "{path} owner {uid->}[, group {gid->}]", "{path} group {gid->}",
			"{path} ACL: {acl->}", "{path} label {label->}", "{path} flags: {flags->}", "{path} capabilities {capabilities->}", "{path} is a {type->}"}},
}
