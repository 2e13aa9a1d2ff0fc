//go:build !linux

package portable

import "assimilation/discovery"

// Local returns the collectors of this host.
func Local() []discovery.Collector {
	return All(System{Routes: routes, Sockets: allSockets, Manager: manager, Packages: installedPackages, Users: localAccounts})
}
