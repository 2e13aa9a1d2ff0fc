//go:build unix

package cli

import (
	"syscall"
	"time"
)

// processorTime is what this process and the children that it waited for have
// used (getrusage(2)).
func processorTime() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if syscall.Getrusage(who, &used) == nil { // it knows no other error than a wrong argument
			sum += time.Duration(used.Utime.Nano() + used.Stime.Nano())
		}
	}
	return sum
}
