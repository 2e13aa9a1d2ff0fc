package processes

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "processes", Noun: "program", Added: "{name} runs[ ({exe})][ in {units}]", Removed: "{name} no longer runs[ ({exe})]",
		Renews: true, Along: []string{"libraries"},
		Changed: []string{"{name} runs with other arguments: {argv->}", "{name} runs {exe->}",
			"{name} runs files that were replaced: {stale->}", "{name} loads other libraries: {libraries->}", "{name} loads jars: {jars->}", "{name} runs in unit {units->}"}},
}
