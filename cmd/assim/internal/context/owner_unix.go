//go:build unix

package context

import (
	"io/fs"
	"os"
	"syscall"
)

// owned reports whether the file is the user's own: whoever may write to /tmp
// must not choose to which service a command speaks that runs below it.
func owned(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
