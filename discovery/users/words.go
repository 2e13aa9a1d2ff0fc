package users

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "users", Noun: "user", Added: "user {name} added (uid {uid}, gid {gid}[, {shell}][, {login}][, password {password}])", Removed: "user {name} removed (uid {uid})",
		Changed: []string{"user {name} shell {shell->}", "user {name} password {password->}", "user {name} home {home->}", "user {name} gid {gid->}"},
		Renewed: []string{"user {name} uid {uid->}"}},
	{List: "groups", Noun: "group", Added: "group {name} added (gid {gid}[, members {members}])", Removed: "group {name} removed (gid {gid})",
		Changed: []string{"group {name} members: {members->}"}, Renewed: []string{"group {name} gid {gid->}"}},
}
