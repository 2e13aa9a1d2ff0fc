package certificates

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "certificates", Noun: "certificate", Added: "certificate {subject} found (expires {not_after}, {paths})",
		Removed: "certificate {subject} gone (expires {not_after}, {paths})",
		Renews:  true, Along: []string{"sha256", "serial", "not_before", "signature"},
		Changed: []string{"certificate {subject} is at other paths: {paths->}", "certificate {subject} expires {not_after->}[, key {key->}][, issuer {issuer->}]", "certificate {subject} replaced (sha256 {sha256:8->})"}},
	{List: "listeners", Noun: "TLS listener", Added: "{item} serves TLS[ by {exe}] ({protocols}, certificate {chain:8})", Removed: "{item} no longer serves TLS[ by {exe}]",
		Changed: []string{"{item} serves other certificates: {chain:8->}", "{item} protocols: {protocols->}"}, Along: []string{"service"}},
	{List: "bundles", Noun: "bundle", Added: "bundle {path} found ({certificates} certificates)", Removed: "bundle {path} gone",
		Changed: []string{"bundle {path}: {certificates->} certificates"}},
}
