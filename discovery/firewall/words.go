package firewall

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "table {family} {name}"},
	{List: "chains", Noun: "chain", Added: "chain {name} added[ ({type}][, {hook}][, policy {policy}])", Removed: "chain {name} removed",
		Changed: []string{"chain {name} policy {policy->}", "chain {name}: rules in another order ({order:8->})"}},
	{List: "chains[].rules", Noun: "rule", Added: "chain {of}: rule added: {text}[ # {comment}]", Removed: "chain {of}: rule removed: {text}[ # {comment}]"},
	{List: "sets", Noun: "set", Added: "set {name} added", Removed: "set {name} removed", Changed: []string{"set {name}: {elements->}"}},
}
