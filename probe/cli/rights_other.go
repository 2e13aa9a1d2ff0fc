//go:build !linux

package cli

import "assimilation/discovery"

// heldCapabilities is empty where there are no capabilities; no kind of these
// systems needs one.
func heldCapabilities(int) (map[discovery.Capability]bool, error) { return nil, nil }
