package sockets

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "services", Noun: "service", Added: "{name} started to listen or connect", Removed: "{name} no longer listens or connects"},
	{List: "services[].listens", Noun: "listener", Added: "{item} opened by {of}", Removed: "{item} closed by {of}",
		Changed: []string{"{item} of {of} was bound to {wildcard->}"}},
	{List: "services[].connects", Noun: "connection", Added: "{item} is used by {of}", Removed: "{item} is no longer used by {of}"},
}
