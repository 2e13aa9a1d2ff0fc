package web

import (
	"testing"

	"assimilation/tenancy"
)

// What one person may have of live streams, and of names of requests, is theirs: nobody
// shares it, and tokens of nobody each have their own.
func TestWhoAPersonIs(t *testing.T) {
	one, other := tenancy.NewID[tenancy.UserID](), tenancy.NewID[tenancy.UserID]()
	if person(Actor{User: one}) != person(Actor{User: one, Token: "script"}) {
		t.Error("a person is another one by their token")
	}
	if person(Actor{User: one}) == person(Actor{User: other}) || person(Actor{Token: "a"}) == person(Actor{Token: "b"}) {
		t.Error("two are one")
	}
	streams := watching{count: map[string]int{}}
	for range maxWatching {
		if !streams.add(person(Actor{Token: "a"})) {
			t.Fatal("too few live streams")
		}
	}
	if streams.add(person(Actor{Token: "a"})) || !streams.add(person(Actor{Token: "b"})) {
		t.Error("one token takes another's live streams")
	}
}
