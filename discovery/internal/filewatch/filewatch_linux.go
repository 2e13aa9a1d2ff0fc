package filewatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	errWatchGone = errors.New("the directory was removed or unmounted")
	errCutShort  = errors.New("event is cut short")
)

// Watch calls changed whenever one of the files was written or renamed over,
// until ctx ends. It watches their directories, since a watch on a file would
// stay with the inode that was replaced; a file need not exist, and where its
// directory does not, it is not watched. A name that ends in "/" is a directory,
// in which everything counts: files and links that come, go, or change owner or
// mode. It is an error, fs.ErrNotExist, if none of the directories exists.
func Watch(ctx context.Context, files []string, changed func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("opening inotify: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	names, err := watchDirectories(fd, files)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	buf := make([]byte, 4<<10) // an event has at most 272 bytes; one for each kind is kept
	for {
		n, err := events.Read(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading inotify events: %w", err)
		}
		touched, err := concerns(buf[:n], names)
		if touched {
			changed()
		}
		if err != nil {
			return fmt.Errorf("watching %s: %w", strings.Join(files, ", "), err)
		}
	}
}

// watchDirectories returns the names of interest by watch descriptor.
func watchDirectories(fd int, files []string) (map[int32][]string, error) {
	names := map[int32][]string{}
	var missing error
	for _, file := range files {
		dir, name := path.Split(file)
		mask := uint32(unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_ONLYDIR | unix.IN_MASK_ADD)
		if name == "" {
			mask |= unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_ATTRIB
		}
		wd, err := unix.InotifyAddWatch(fd, dir, mask)
		if errors.Is(err, fs.ErrNotExist) {
			missing = fmt.Errorf("watching %s: %w", dir, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("watching %s: %w", dir, err)
		}
		names[int32(wd)] = append(names[int32(wd)], name)
	}
	if len(names) == 0 {
		return nil, missing
	}
	return names, nil
}

// concerns reports whether a buffer of struct inotify_event speaks of one of
// the files, or says that events were lost.
func concerns(b []byte, names map[int32][]string) (bool, error) {
	found := false
	for len(b) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(b))
		mask := binary.NativeEndian.Uint32(b[4:])
		length := binary.NativeEndian.Uint32(b[12:])
		b = b[unix.SizeofInotifyEvent:]
		if uint64(length) > uint64(len(b)) {
			return found, errCutShort
		}
		if mask&unix.IN_IGNORED != 0 {
			return found, errWatchGone
		}
		found = found || mask&unix.IN_Q_OVERFLOW != 0 ||
			slices.Contains(names[wd], unix.ByteSliceToString(b[:length])) || slices.Contains(names[wd], "")
		b = b[length:]
	}
	return found, nil
}
