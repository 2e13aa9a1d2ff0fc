package collect

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/setting"
	kind "assimilation/discovery/sysctl"
)

// maxValue bounds what is read of a parameter; the longest are lists of ports.
const maxValue = 1024

// Collector reads /proc/sys.
type Collector struct {
	root fs.FS
	read func(name string, into []byte) (int, error)
	user int
}

// New returns a collector of the parameters under root, of which read reads one,
// as a user.
func New(root fs.FS, read func(string, []byte) (int, error), user int) *Collector {
	return &Collector{root, read, user}
}

// Local returns the collector of this host.
func Local() *Collector { return New(os.DirFS(directory), readLocal, os.Geteuid()) }

// directory is where the parameters are.
const directory = "/proc/sys"

// readLocal does without os.File, which would have every file polled: there are a
// thousand.
func readLocal(name string, into []byte) (int, error) {
	fd, err := unix.Open(directory+"/"+name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unix.Read(fd, into)
}

// Kind is the kind "sysctl".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns a fact for each directory.
func (c *Collector) Collect(ctx context.Context) ([]discovery.Fact, error) {
	tops, err := fs.ReadDir(c.root, ".")
	if err != nil {
		return nil, err
	}
	var facts []discovery.Fact
	var problems []error
	w := walk{root: c.root, read: c.read, buf: make([]byte, maxValue)}
	for _, top := range tops {
		w.found = []setting.Setting{}
		if err := w.directory(ctx, top.Name()); err != nil {
			return nil, err
		}
		if len(w.found) == 0 {
			continue
		}
		fact, err := discovery.NewFact(kind.Kind, top.Name(), kind.Facts{Parameters: w.found})
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	if w.denied > 0 && c.user != 0 { // root is denied what a container may not see: it is not the host's
		problems = append(problems, &discovery.Degraded{What: strconv.Itoa(w.denied) + " parameters that the user root alone may read"})
	}
	if w.cut {
		problems = append(problems, &discovery.Degraded{What: "more parameters than a fact takes: the rest is left out"})
	}
	return facts, errors.Join(problems...)
}

// walk gathers the parameters of one directory.
type walk struct {
	root   fs.FS
	read   func(string, []byte) (int, error)
	buf    []byte
	found  []setting.Setting
	denied int
	cut    bool
}

func (w *walk) directory(ctx context.Context, dir string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	entries, err := fs.ReadDir(w.root, dir)
	if err != nil {
		w.denied++
		return nil
	}
	for _, e := range entries {
		name := dir + "/" + e.Name()
		if e.IsDir() {
			if err := w.directory(ctx, name); err != nil {
				return err
			}
			continue
		}
		if kind.LeftOut(name) {
			continue
		}
		if len(w.found) == setting.Max {
			w.cut = true
			return nil
		}
		w.parameter(name)
	}
	return nil
}

// parameter reads one. Some can only be written; others refuse in their own ways.
func (w *walk) parameter(name string) {
	n, err := w.read(name, w.buf)
	if errors.Is(err, fs.ErrPermission) {
		if info, statErr := fs.Stat(w.root, name); statErr == nil && info.Mode().Perm()&0o444 != 0 {
			w.denied++
		}
	}
	if err != nil {
		return
	}
	w.found = append(w.found, setting.Setting{
		Name: conffile.Clean(kind.Name(name)), Value: conffile.Clean(conffile.Blanks(string(w.buf[:n]))),
	})
}
