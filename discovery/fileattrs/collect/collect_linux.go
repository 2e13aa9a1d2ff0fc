package collect

import (
	"context"
	"encoding/hex"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	kind "assimilation/discovery/fileattrs"
	"assimilation/discovery/internal/jsontext"
)

// maxAttribute bounds an extended attribute; an ACL of 100 entries has 804 bytes.
const maxAttribute = 4096

const maxPath = 1024

// Collector looks at files without opening them.
type Collector struct {
	statx    func(path string, into *unix.Statx_t) error
	getxattr func(path, name string, into []byte) (int, error)

	mu    sync.Mutex
	named map[string][]string // paths that facts of other kinds name, by kind
}

// New returns a collector that asks these functions.
func New(statx func(string, *unix.Statx_t) error, getxattr func(string, string, []byte) (int, error)) *Collector {
	return &Collector{statx: statx, getxattr: getxattr, named: map[string][]string{}}
}

// Local returns the collector of this host.
func Local() *Collector {
	return New(func(path string, into *unix.Statx_t) error {
		// Not to wait for a server: none of the paths should be on one.
		return unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS, into)
	}, unix.Getxattr)
}

// Kind is the kind "fileattrs".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Follow takes the paths that facts of another kind name.
func (c *Collector) Follow(of string, facts []discovery.Fact) {
	var named []string
	for _, where := range kind.Named {
		if where.Kind != of {
			continue
		}
		for _, fact := range facts {
			file := where.Default
			body, err := jsontext.Parse(string(fact.Body))
			if err != nil {
				continue
			}
			for _, setting := range body.Get("settings").Items() {
				if setting.Get("name").Text() == where.Setting {
					file = setting.Get("value").Text()
				}
			}
			if file = path.Clean(file); path.IsAbs(file) && len(file) <= maxPath {
				named = append(named, path.Dir(file), file)
			}
		}
	}
	c.mu.Lock()
	c.named[of] = named
	c.mu.Unlock()
}

// paths are all that are looked at, sorted.
func (c *Collector) paths() []string {
	all := slices.Clone(kind.Paths)
	c.mu.Lock()
	for _, where := range kind.Named {
		all = append(all, c.named[where.Kind]...)
	}
	c.mu.Unlock()
	slices.Sort(all)
	return slices.Compact(all)
}

// Collect returns the one fact.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	facts := kind.Facts{Files: make([]kind.File, 0, len(kind.Paths))}
	denied := ""
	var problem error
	for _, path := range c.paths() {
		var st unix.Statx_t
		switch err := c.statx(path, &st); {
		case err == nil:
			facts.Files = append(facts.Files, c.file(path, &st))
		case errors.Is(err, unix.EACCES) && denied == "":
			denied = path
			problem = &discovery.Degraded{Needs: discovery.DACReadSearch, What: path + " and perhaps others"}
		}
	}
	fact, err := discovery.NewFact(kind.Kind, "", facts)
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, problem
}

func (c *Collector) file(path string, st *unix.Statx_t) kind.File {
	f := kind.File{
		Path: path, Type: "other", UID: int64(st.Uid), GID: int64(st.Gid),
		Mode: strconv.FormatUint(uint64(st.Mode&0o7777), 8),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		f.Type = "file"
	case unix.S_IFDIR:
		f.Type = "directory"
	case unix.S_IFSOCK:
		f.Type = "socket"
	}
	if st.Attributes&unix.STATX_ATTR_APPEND != 0 {
		f.Flags = append(f.Flags, "append-only")
	}
	if st.Attributes&unix.STATX_ATTR_IMMUTABLE != 0 {
		f.Flags = append(f.Flags, "immutable")
	}
	buf := make([]byte, maxAttribute)
	attribute := func(name string) []byte {
		n, err := c.getxattr(path, name, buf)
		if err != nil || n < 0 || n > len(buf) { // none, or of a filesystem without
			return nil
		}
		return buf[:n]
	}
	f.ACL = appendACL(nil, "", attribute("system.posix_acl_access"))
	if f.Type == "directory" {
		f.ACL = appendACL(f.ACL, "default:", attribute("system.posix_acl_default"))
	}
	f.Label = discovery.Clean(strings.TrimRight(string(attribute("security.selinux")), "\x00"), 256)
	f.Capabilities = hex.EncodeToString(attribute("security.capability"))
	return f
}
