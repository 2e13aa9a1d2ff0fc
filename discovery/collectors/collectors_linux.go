package collectors

import (
	"assimilation/discovery"
	os "assimilation/discovery/os/collect"
)

// All returns a new collector of this host for every kind.
func All() []discovery.Collector {
	return []discovery.Collector{
		os.Local(),
	}
}
