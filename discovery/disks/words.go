package disks

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "devices", Noun: "device", Added: "device {name} appeared ({type}, {bytes:size}[, {content}])", Removed: "device {name} gone ({type}, {bytes:size})",
		Changed: []string{"device {name} {bytes:size->}", "device {name} state {state->}"}},
	{List: "arrays", Noun: "array", Added: "array {name} appeared ({state}, {disks} disks)", Removed: "array {name} gone", Changed: []string{"array {name} {state->}"}},
	{List: "arrays[].members", Noun: "member", Added: "array {of} has {name} ({state})", Removed: "array {of} lost {name}", Changed: []string{"array {of} disk {name} {state->}[, slot {slot->}]"}},
}
