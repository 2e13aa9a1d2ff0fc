//go:build !linux

package memory

import "runtime/debug"

// GiveBack returns free heap to the host.
func GiveBack() { debug.FreeOSMemory() }
