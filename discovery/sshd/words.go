package sshd

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "[{version}]", Changed: []string{"sshd {version->}"}},
	{List: "settings", Noun: "setting", Added: "sshd {name} set to {values}[ {names}][ ({source})]", Removed: "sshd {name} no longer set (was {values}[ {names}])",
		Changed: []string{"sshd {name} {values->}[ ({source})]", "sshd {name} {names->}[ ({source})]", "sshd {name} now set in {source->}"}},
	{List: "matches", Noun: "match block", Added: "sshd Match {criteria} added", Removed: "sshd Match {criteria} removed"},
	{List: "matches[].settings", Noun: "setting", Added: "sshd {name} set to {values}[ {names}] for {of}", Removed: "sshd {name} no longer set for {of}",
		Changed: []string{"sshd {name} {values->} for {of}", "sshd {name} {names->} for {of}"}},
	{List: "host_keys", Noun: "host key", Added: "host key {path} added ({type}, {fingerprint})",
		Removed: "host key {path} removed ({type}, {fingerprint})",
		Changed: []string{"host key {path} {fingerprint->}[, {type->}][, {bits->} bits]"}},
}
