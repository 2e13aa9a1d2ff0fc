package virtual

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "guests", Noun: "guest", Added: "guest {name} appeared ({type}, {state}, {cpus} CPUs, {memory:size})", Removed: "guest {name} gone ({type}, {id})",
		Changed: []string{"guest renamed {name->}", "guest {name} {state->}", "guest {name} CPUs {cpus->}", "guest {name} memory {memory:size->}",
			"guest {name} {autostart?starts with the host|no longer starts with the host}", "guest {name} made anew (id {id:8->})"},
		Renews: true},
	{List: "guests[].nics", Quiet: true, Noun: "NIC", Added: "guest {of} got NIC {mac}[ on {bridge}][ in network {network}]", Removed: "guest {of} lost NIC {mac}",
		Changed: []string{"NIC {mac} of guest {of} on {bridge->}", "NIC {mac} of guest {of} in network {network->}"}},
	{List: "guests[].disks", Quiet: true, Noun: "disk", Added: "guest {of} got disk {target}[ ({source})]", Removed: "guest {of} lost disk {target}[ ({source})]",
		Changed: []string{"disk {target} of guest {of} {source->}"}},
}
