package time

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "{zone}", Changed: []string{"time zone {zone->}", "hardware clock in {hardware_clock->}", "clock {synchronised?synchronised|no longer synchronised}"}},
	{List: "sources", Noun: "time source", Added: "time {type} {address} added ({daemon}[ {options}])",
		Removed: "time {type} {address} removed ({daemon})", Changed: []string{"time {type} {address} options {options->}"}},
}
