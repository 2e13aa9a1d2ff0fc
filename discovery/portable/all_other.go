//go:build !linux

package portable

import "assimilation/discovery"

// All returns a new collector of this host for every kind that is known here, those
// that say most about the host first.
func All() []discovery.Collector {
	return append(basics(), links(routes), services(sockets), installed(manager, packages), accounts(users))
}
