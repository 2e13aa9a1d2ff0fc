//go:build !linux

package collectors

import "assimilation/discovery"

// All returns none: no kind is collected on this system yet.
func All(Options) []discovery.Collector { return nil }
