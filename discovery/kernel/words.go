package kernel

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Changed: []string{"kernel command line: {command_line->}", "kernel lockdown {lockdown->}",
		"secure boot {secure_boot->}", "kernel taints {taints->}", "clock source {clock->}", "security modules: {security_modules->}"}},
	{List: "modules", Noun: "module", Added: "module {name} loaded[ ({version})]",
		Removed: "module {name} unloaded", Changed: []string{"module {name} {version->}", "module {name} taints {taints->}"}},
	{List: "vulnerabilities", Noun: "vulnerability", Added: "{name}: {state}", Removed: "{name}: no longer told of (was {state})", Changed: []string{"{name}: {state->}"}},
}
