// Package projectors lists the projectors of all kinds. A kind that is not
// listed, as those of script agents, has facts and history but no elements.
package projectors

import (
	"assimilation/discovery"
	hardware "assimilation/discovery/hardware/project"
	mounts "assimilation/discovery/mounts/project"
	neighbours "assimilation/discovery/neighbours/project"
	network "assimilation/discovery/network/project"
	os "assimilation/discovery/os/project"
	packages "assimilation/discovery/packages/project"
	seen "assimilation/discovery/seen/project"
	sockets "assimilation/discovery/sockets/project"
	switchport "assimilation/discovery/switchport/project"
	users "assimilation/discovery/users/project"
)

// All lists them in the order in which a host is projected: a kind before those
// that lean on it.
func All() []discovery.Projector {
	return []discovery.Projector{
		os.Projector{},
		hardware.Projector{},
		network.Projector{},
		switchport.Projector{},
		neighbours.Projector{},
		seen.Projector{},
		sockets.Projector{},
		mounts.Projector{},
		users.Projector{},
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
