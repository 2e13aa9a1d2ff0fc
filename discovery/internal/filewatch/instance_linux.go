package filewatch

import (
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// process is the inotify instance of this process. The kernel gives a user 128 of
// them (fs.inotify.max_user_instances), containers' included: a probe that took one
// for each kind would starve others.
var process instance

// instance is open while there are subscribers.
type instance struct {
	mu          sync.Mutex
	file        *os.File
	fd          int
	subscribers []*subscriber
}

// join begins to tell s of changes.
func (i *instance) join(s *subscriber, files []string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.file == nil {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			return fmt.Errorf("opening inotify: %w", err)
		}
		i.fd, i.file = fd, os.NewFile(uintptr(fd), "inotify")
		go i.read(i.file)
	}
	i.subscribers = append(i.subscribers, s)
	if err := s.add(i.fd, files); err != nil {
		i.remove(s)
		return err
	}
	return nil
}

// leave ends that; changed is not called any more.
func (i *instance) leave(s *subscriber) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.remove(s)
}

// remove gives up what only s watched, and all of it when s was the last.
func (i *instance) remove(s *subscriber) {
	at := slices.Index(i.subscribers, s)
	if at < 0 {
		return // read has ended them all
	}
	i.subscribers = slices.Delete(i.subscribers, at, at+1)
	if len(i.subscribers) == 0 {
		i.file.Close()
		i.file = nil
		return
	}
	for wd := range s.names {
		shared := slices.ContainsFunc(i.subscribers, func(other *subscriber) bool { _, is := other.names[wd]; return is })
		if !shared {
			_, _ = unix.InotifyRmWatch(i.fd, uint32(wd)) // fails if the directory is gone
		}
	}
}

// read hands out events until the file is closed.
func (i *instance) read(file *os.File) {
	buf := make([]byte, 4<<10) // an event has at most 272 bytes
	for {
		n, err := file.Read(buf)
		if !i.tell(file, buf[:max(n, 0)], err) {
			return
		}
	}
}

// tell hands out what was read of file; false: it is no longer the instance's.
func (i *instance) tell(file *os.File, b []byte, err error) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.file != file {
		return false
	}
	all, broken := events(b)
	for _, e := range all {
		for _, s := range i.subscribers {
			s.take(e)
		}
	}
	if err == nil {
		err = broken
	}
	if err == nil {
		return true
	}
	for _, s := range i.subscribers {
		s.end(fmt.Errorf("reading inotify events: %w", err))
	}
	i.subscribers, i.file = nil, nil
	file.Close()
	return false
}
