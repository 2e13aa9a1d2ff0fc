package portable

import (
	"context"

	"assimilation/discovery"
	"assimilation/discovery/packages"
	"assimilation/discovery/users"
)

// System asks one system what package gopsutil does not.
type System struct {
	Routes   func() ([]Route, error)
	Sockets  func(context.Context) ([]Socket, error)
	Manager  string // of packages
	Packages func(context.Context) ([]packages.Package, error)
	Users    func(context.Context) (users.Facts, error)
}

// All returns a new collector for every kind that is known on these systems, those
// that say most about the host first.
func All(of System) []discovery.Collector {
	return append(basics(), links(of.Routes), services(of.Sockets), installed(of.Manager, of.Packages), accounts(of.Users))
}
