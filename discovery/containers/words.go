package containers

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "containers", Noun: "container", Added: "container {name} appeared ({state}[, image {image}])", Removed: "container {name} gone[ (image {image})]",
		Changed: []string{"container {name} {state->}", "container {name} image {image->}[, {image_id:19->}]", "container {name} image rebuilt ({image_id:19->})",
			"container {name} made anew (id {id:12->})"},
		Renews: true, Along: []string{"digests"}},
	{List: "containers[].ports", Quiet: true, Noun: "port", Added: "container {of} opens {protocol} port {port}[ at {host_ip}][ from port {host_port} of the host]",
		Removed: "container {of} closes {protocol} port {port}[ at {host_ip}][ from port {host_port} of the host]"},
	{List: "containers[].networks", Quiet: true, Noun: "network", Added: "container {of} joined network {name}[ as {ip}]", Removed: "container {of} left network {name}",
		Changed: []string{"container {of} in network {name}: {ip->}"}},
	{List: "containers[].labels", Quiet: true, Noun: "label", Added: "container {of} label {name} set to {value}", Removed: "container {of} label {name} removed",
		Changed: []string{"container {of} label {name} {value->}"}},
}
