package switchport

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "ports", Noun: "switch port", Added: "{interface} is on port {port} of switch {name}[ ({chassis})]",
		Removed: "{interface} is no longer on port {port} of switch {name}[ ({chassis})]",
		Changed: []string{"port {port} of {interface}: VLAN {vlan->}", "port {port} of {interface}: switch {name->}"}},
}
