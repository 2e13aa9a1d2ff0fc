package limits

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "limits", Noun: "limit", Added: "limit {item} of {domain} set to {value} ({type}, {source})", Removed: "limit {item} of {domain} removed (was {value}, {type})",
		Changed: []string{"limit {item} of {domain} {value->} ({type}, {source})"}},
}
