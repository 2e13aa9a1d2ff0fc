package scripts

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "[runs every {interval_seconds} s][refused: {refused}]",
		Changed: []string{"refused: {refused->}", "runs every {interval_seconds->} s", "killed after {timeout_seconds->} s"}},
}
