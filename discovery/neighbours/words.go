package neighbours

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "neighbours", Noun: "neighbour", Added: "neighbour {ip} appeared on {device} ({mac})", Removed: "neighbour {ip} no longer met on {device} ({mac})",
		Changed: []string{"neighbour {ip} on {device} has MAC address {mac->}", "neighbour {ip} on {device} is {router?a router now|no router any more}"}},
}
