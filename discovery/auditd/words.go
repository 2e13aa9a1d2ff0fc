package auditd

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "settings", Noun: "setting", Added: "audit {name} set to {value}", Removed: "audit {name} no longer set (was {value})",
		Changed: []string{"audit {name} {value->}"}},
	{List: "rules", Noun: "rule", Added: "audit rule added: {item}", Removed: "audit rule removed: {item}"},
}
