package collect

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

var errWatchGone = errors.New("the directory was removed or unmounted")

// watchFile calls changed whenever the file of that name in dir was written or
// renamed over, until ctx ends. It watches the directory, since a watch on the
// file would stay with the inode that was replaced.
func watchFile(ctx context.Context, dir, name string, changed func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("opening inotify: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO|unix.IN_ONLYDIR); err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	buf := make([]byte, 16<<10)
	for {
		n, err := events.Read(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading inotify events: %w", err)
		}
		touched, err := namesFile(buf[:n], name)
		if touched {
			changed()
		}
		if err != nil {
			return fmt.Errorf("watching %s: %w", dir, err)
		}
	}
}

// namesFile reports whether a buffer of struct inotify_event speaks of the file,
// or says that events were lost.
func namesFile(b []byte, name string) (bool, error) {
	found := false
	for len(b) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(b[4:])
		length := binary.NativeEndian.Uint32(b[12:])
		b = b[unix.SizeofInotifyEvent:]
		if uint64(length) > uint64(len(b)) {
			return found, errors.New("event is cut short")
		}
		if mask&unix.IN_IGNORED != 0 {
			return found, errWatchGone
		}
		found = found || mask&unix.IN_Q_OVERFLOW != 0 || unix.ByteSliceToString(b[:length]) == name
		b = b[length:]
	}
	return found, nil
}
