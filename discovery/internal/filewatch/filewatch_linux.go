package filewatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrGone ends a watch.
var ErrGone = errors.New("the directory was removed or unmounted")

var errCutShort = errors.New("event is cut short")

// What counts in a directory of which one file is watched, and beside that in one
// that is watched as a whole.
const (
	replaced = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_CREATE // sockets and links are never written
	anything = unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_ATTRIB
)

// Watch calls changed whenever one of the files was made, written or renamed over,
// until ctx ends; changed must neither block nor call Watch. It watches their
// directories, since a watch on a file would stay with the inode that was
// replaced; a file need not exist, and where its directory does not, it is not
// watched. A name that ends in "/" is a directory, in which everything counts:
// files and links that come, go, or change owner or mode. It is an error,
// fs.ErrNotExist, if none of the directories exists.
func Watch(ctx context.Context, files []string, changed func()) error {
	return WatchFrom(ctx, files, func() {}, changed)
}

// WatchFrom is Watch that calls armed once it watches: what happens from then on is
// told.
func WatchFrom(ctx context.Context, files []string, armed, changed func()) error {
	s := &subscriber{changed: changed, ended: make(chan error, 1), names: map[int32][]string{}}
	if err := process.join(s, files); err != nil {
		return err
	}
	defer process.leave(s)
	armed()
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.ended:
		return fmt.Errorf("watching %s: %w", strings.Join(files, ", "), err)
	}
}

// subscriber is one Watch.
type subscriber struct {
	changed func()
	ended   chan error
	names   map[int32][]string // by watch descriptor; "": the directory as a whole
}

// add begins to watch the directories of files, of an inotify instance.
func (s *subscriber) add(fd int, files []string) error {
	var missing error
	for _, file := range files {
		dir, name := path.Split(file)
		mask := uint32(replaced | unix.IN_ONLYDIR | unix.IN_MASK_ADD)
		if name == "" {
			mask |= anything
		}
		wd, err := unix.InotifyAddWatch(fd, dir, mask)
		if errors.Is(err, fs.ErrNotExist) {
			missing = fmt.Errorf("watching %s: %w", dir, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("watching %s: %w", dir, err)
		}
		s.names[int32(wd)] = append(s.names[int32(wd)], name)
	}
	if len(s.names) == 0 {
		return missing
	}
	return nil
}

// concerned reports whether an event is one that the subscriber waits for.
func (s *subscriber) concerned(e event) bool {
	names := s.names[e.wd]
	return e.mask&unix.IN_Q_OVERFLOW != 0 || slices.Contains(names, "") || e.mask&replaced != 0 && slices.Contains(names, e.name)
}

// take lets the subscriber know of an event.
func (s *subscriber) take(e event) {
	if _, mine := s.names[e.wd]; mine && e.mask&unix.IN_IGNORED != 0 {
		s.end(ErrGone)
	} else if s.concerned(e) {
		s.changed()
	}
}

// end ends the Watch; only the first reason counts.
func (s *subscriber) end(err error) {
	select {
	case s.ended <- err:
	default:
	}
}

// event is a struct inotify_event.
type event struct {
	wd   int32
	mask uint32
	name string
}

// events parses what was read of an inotify instance. Those before one that is
// cut short are returned with the error.
func events(b []byte) (all []event, err error) {
	for len(b) >= unix.SizeofInotifyEvent {
		e := event{wd: int32(binary.NativeEndian.Uint32(b)), mask: binary.NativeEndian.Uint32(b[4:])}
		length := binary.NativeEndian.Uint32(b[12:])
		b = b[unix.SizeofInotifyEvent:]
		if uint64(length) > uint64(len(b)) {
			return all, errCutShort
		}
		e.name = unix.ByteSliceToString(b[:length])
		all = append(all, e)
		b = b[length:]
	}
	return all, nil
}
