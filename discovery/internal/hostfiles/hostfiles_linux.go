package hostfiles

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// system is what os.DirFS returns.
type system interface {
	fs.StatFS
	fs.ReadDirFS
	fs.ReadLinkFS
}

type root struct{ system }

// Root is the file system from "/". It opens files and directories, nothing else. What
// a name stands for may change after it was looked at, so it is looked at again when
// it is open. Neither a pipe that nobody writes to is waited for, nor a file that has
// no end, such as those of tracefs: reading it is an error, EAGAIN.
func Root() fs.FS { return root{os.DirFS("/").(system)} }

var errNoFile = errors.New("neither a file nor a directory")

// Open implements fs.FS.
func (root) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	file, err := open("/" + name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return file, nil
}

func open(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	for errors.Is(err, unix.EINTR) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, err
	}
	var is unix.Stat_t
	if err = unix.Fstat(fd, &is); err == nil {
		if sort := is.Mode & unix.S_IFMT; sort != unix.S_IFREG && sort != unix.S_IFDIR {
			err = errNoFile
		}
	}
	// A file that package os finds not to block is waited for by its poller.
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), path)
	if err := unix.SetNonblock(fd, true); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
