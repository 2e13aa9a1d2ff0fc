package kubernetes

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "{distribution} {role}[ {version}]", Changed: []string{"{distribution} {version->}", "{distribution} node is {role->}", "API server {server->}"}},
	{List: "pods", Noun: "pod", Added: "pod {namespace}/{name} started", Removed: "pod {namespace}/{name} gone",
		Changed: []string{"pod {namespace}/{name} made anew (uid {uid:8->})", "pod {namespace}/{name} addresses: {ips->}"}, Renews: true, Along: []string{"ips"}},
	{List: "pods[].containers", Quiet: true, Noun: "container", Added: "container {name} of {of} added[ ({image})]", Removed: "container {name} of {of} removed[ ({image})]",
		Changed: []string{"container {name} of {of} image {image->}", "container {name} of {of} restarted (id {id:12->})"}, Along: []string{"id"}},
}
