package collect

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watch calls changed whenever a mount table changed, until ctx ends, and once
// at the start. The kernel tells by waking those that poll(2) the table
// (proc_pid_mountinfo(5)); to Go's poller, which hears of each waking once, the
// table is then a file that has become readable. Opened the usual way it would
// be a file that always is.
func watch(ctx context.Context, table string, changed func()) error {
	fd, err := unix.Open(table, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", table, err)
	}
	file := os.NewFile(uintptr(fd), table)
	defer file.Close()
	stop := context.AfterFunc(ctx, func() { file.Close() })
	defer stop()
	raw, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("watching %s: %w", table, err)
	}
	// One Read for all: a new one would forget a waking that came in between. The
	// first call, before any waking, tells of what changed before it listened.
	err = raw.Read(func(uintptr) bool {
		changed()
		return false
	})
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("watching %s: %w", table, err)
}
