package systemd

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "units", Noun: "unit", Added: "unit {name} added ({state})", Removed: "unit {name} removed ({state})",
		Changed: []string{"unit {name} {state->}", "unit {name} runs: {exec->}", "unit {name} runs as {user->}",
			"unit {name} is overridden: {drop_ins->}", "unit {name} starts by: {triggers->}"}},
	{List: "stopped", Noun: "stopped unit", Added: "{item} has no process, though it starts by itself", Removed: "{item} is no longer without the process that it starts by itself"},
	{List: "running", Noun: "running unit", Added: "{item} started", Removed: "{item} stopped"},
}
