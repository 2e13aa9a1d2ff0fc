//go:build !linux

package collectors

import (
	"assimilation/discovery"
	"assimilation/discovery/portable"
)

// All returns a new collector of this host for every kind that is known on this
// system. What the options are about is known on Linux only.
func All(Options) []discovery.Collector { return portable.Local() }
