package network

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "links", Noun: "link", Added: "link {name} appeared ({type}[, {kind}][, {mac}], {oper_state})", Removed: "link {name} gone ({type}[, {kind}][, {mac}])",
		Along:   []string{"oper_state"},
		Changed: []string{"link {name} {admin_up?switched on|switched off}[, {oper_state->}]", "link {name} {oper_state->}", "link {name} MTU {mtu->}", "link {name} MAC address {mac->}", "link {name} member of {master->}"}},
	{List: "links[].addresses", Noun: "address", Added: "address {ip}/{prefix} added to {of}", Removed: "address {ip}/{prefix} removed from {of}"},
	{List: "routes", Noun: "route", Added: "route {destination} added[ by {gateway}][ on {device}]", Removed: "route {destination} removed[ by {gateway}][ on {device}]",
		Changed: []string{"route {destination} source {source->}"}},
	{List: "routes[].next_hops", Noun: "next hop", Added: "route {of} goes by {device}[ {gateway}]", Removed: "route {of} no longer goes by {device}[ {gateway}]"},
}
