package collectors

import (
	"assimilation/discovery"
	hardware "assimilation/discovery/hardware/collect"
	mounts "assimilation/discovery/mounts/collect"
	neighbours "assimilation/discovery/neighbours/collect"
	network "assimilation/discovery/network/collect"
	os "assimilation/discovery/os/collect"
	packages "assimilation/discovery/packages/collect"
	sockets "assimilation/discovery/sockets/collect"
	users "assimilation/discovery/users/collect"
)

// All returns a new collector of this host for every kind, those that say most
// about the host first.
func All() []discovery.Collector {
	return []discovery.Collector{
		os.Local(),
		hardware.Local(),
		network.Local(),
		neighbours.Local(),
		sockets.Local(),
		mounts.Local(),
		users.Local(),
		packages.Local(),
	}
}
