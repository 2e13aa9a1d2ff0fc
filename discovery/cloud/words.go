package cloud

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "{provider}[ {type}][ {instance}][ in {region}]", Changed: []string{"instance type {type->}", "instance {instance->}", "region {region->}", "zone {zone->}"}},
}
