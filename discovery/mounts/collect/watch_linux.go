package collect

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watch calls changed whenever a mount table changed, until ctx ends. The kernel
// tells by POLLERR and POLLPRI (proc_pid_mountinfo(5)), which Go's own poller
// does not know; so an epoll(7) that does is what it waits for.
func watch(ctx context.Context, table string, changed func()) error {
	mounts, err := unix.Open(table, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", table, err)
	}
	defer unix.Close(mounts)
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("waiting for mounts: %w", err)
	}
	if err := unix.SetNonblock(poll, true); err != nil { // else Go would wait by a thread
		unix.Close(poll)
		return fmt.Errorf("waiting for mounts: %w", err)
	}
	events := os.NewFile(uintptr(poll), "epoll")
	defer events.Close()
	if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, mounts, &unix.EpollEvent{Events: unix.EPOLLERR | unix.EPOLLPRI, Fd: int32(mounts)}); err != nil {
		return fmt.Errorf("watching %s: %w", table, err)
	}
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	raw, err := events.SyscallConn()
	if err != nil {
		return fmt.Errorf("watching %s: %w", table, err)
	}
	for {
		var told [1]unix.EpollEvent
		var n int
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, failed = unix.EpollWait(int(fd), told[:], 0)
			return n > 0 || failed != nil && failed != unix.EINTR
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			err = failed
		}
		if err != nil {
			return fmt.Errorf("watching %s: %w", table, err)
		}
		changed()
	}
}
