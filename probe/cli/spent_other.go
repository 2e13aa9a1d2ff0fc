//go:build !unix

package cli

import "time"

// processorTime is not told where no kind is collected.
func processorTime() time.Duration { return 0 }
