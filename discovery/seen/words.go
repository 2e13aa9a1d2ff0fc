package seen

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "seen", Noun: "address", Added: "{ip} heard on {interface} ({mac})", Removed: "{ip} no longer heard on {interface} ({mac})",
		Changed: []string{"{ip} on {interface} has MAC address {mac->}", "{ip} on {interface} is {router?a router now|no router any more}"}},
}
