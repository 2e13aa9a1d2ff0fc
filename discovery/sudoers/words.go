package sudoers

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "defaults", Noun: "default", Added: "sudo option {setting} set[ for {scope}] ({source})", Removed: "sudo option {setting} no longer set[ for {scope}] ({source})"},
	{List: "aliases", Noun: "alias", Added: "sudo {kind} {name} added: {members}",
		Removed: "sudo {kind} {name} removed (was {members})", Changed: []string{"sudo {kind} {name}: {members->}"}},
	{List: "rules", Noun: "rule", Added: "{who} may run {command}[ as {run_as}][ ({tags})] by sudo ({source})",
		Removed: "{who} may no longer run {command}[ as {run_as}][ ({tags})] by sudo ({source})",
		Renews:  true, Changed: []string{"{who} may run {command} by sudo[ as {run_as->}][, {tags->}]"}},
}
