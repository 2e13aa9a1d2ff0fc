package users

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "users", Noun: "user", Added: "user {name} added (uid {uid}, gid {gid}[, {shell}][, {login}][, password {password}])", Removed: "user {name} removed (uid {uid})",
		Changed: []string{"user {name} shell {shell->}", "user {name} password {password->}", "user {name} home {home->}", "user {name} gid {gid->}", "user {name} uid {uid->}",
			"user {name} {login?can log in by the shell|can no longer log in by the shell}"}, Renews: true},
	{List: "groups", Noun: "group", Added: "group {name} added (gid {gid}[, members {members}])", Removed: "group {name} removed (gid {gid})",
		Changed: []string{"group {name} members: {members->}", "group {name} gid {gid->}"}, Renews: true},
}
