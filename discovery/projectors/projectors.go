// Package projectors lists the projectors of all kinds. A kind that is not
// listed, as those of script agents, has facts and history but no elements.
package projectors

import (
	"assimilation/discovery"
	neighbours "assimilation/discovery/neighbours/project"
	network "assimilation/discovery/network/project"
	os "assimilation/discovery/os/project"
	packages "assimilation/discovery/packages/project"
	sockets "assimilation/discovery/sockets/project"
)

// All lists them in the order in which a host is projected: a kind before those
// that lean on it.
func All() []discovery.Projector {
	return []discovery.Projector{
		os.Projector{},
		network.Projector{},
		neighbours.Projector{},
		sockets.Projector{},
		packages.Projector{},
	}
}

// ByKind returns the projector of a kind.
func ByKind(name string) (discovery.Projector, bool) {
	for _, p := range All() {
		if p.Kind().Name == name {
			return p, true
		}
	}
	return nil, false
}
