// Package active tells which mutant of the service's guards is alive, in a program
// that was built with the overlay of tenancytest/mutants/generate. No other program
// has this package in it: one build holds all mutants, and a test lets one live after
// the other.
package active

import "sync"

// state is of the process, as the code is that it changes.
var state struct {
	sync.Mutex
	name string
	met  map[string]bool
}

// Set lets one mutant live; "" none.
func Set(name string) {
	state.Lock()
	defer state.Unlock()
	state.name = name
}

// Met returns the mutants that would have made a difference since the last call.
func Met() map[string]bool {
	state.Lock()
	defer state.Unlock()
	met := state.met
	state.met = nil
	return met
}

// Is reports whether the mutant lives. It is asked only where the answer of the guard
// would be another, so what meets no mutant cannot tell it from the program as it is.
func Is(name string) bool {
	state.Lock()
	defer state.Unlock()
	if state.met == nil {
		state.met = map[string]bool{}
	}
	state.met[name] = true
	return state.name == name
}

// Or is the value, or what a mutant makes of it.
func Or[T any](name string, value, broken T) T {
	if Is(name) {
		return broken
	}
	return value
}
