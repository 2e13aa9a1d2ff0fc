package collectors

import (
	"assimilation/discovery"
	neighbours "assimilation/discovery/neighbours/collect"
	network "assimilation/discovery/network/collect"
	os "assimilation/discovery/os/collect"
	packages "assimilation/discovery/packages/collect"
	sockets "assimilation/discovery/sockets/collect"
)

// All returns a new collector of this host for every kind, those that say most
// about the host first.
func All() []discovery.Collector {
	return []discovery.Collector{
		os.Local(),
		network.Local(),
		neighbours.Local(),
		sockets.Local(),
		packages.Local(),
	}
}
