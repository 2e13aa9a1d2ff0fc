package collect

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	kind "assimilation/discovery/fileattrs"
)

// maxAttribute bounds an extended attribute; an ACL of 100 entries has 804 bytes.
const maxAttribute = 4096

// Collector looks at files without opening them.
type Collector struct {
	statx    func(path string, into *unix.Statx_t) error
	getxattr func(path, name string, into []byte) (int, error)
}

// New returns a collector that asks these functions.
func New(statx func(string, *unix.Statx_t) error, getxattr func(string, string, []byte) (int, error)) *Collector {
	return &Collector{statx, getxattr}
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

// Collect returns the one fact.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	facts := kind.Facts{Files: make([]kind.File, 0, len(kind.Paths))}
	denied := ""
	var problem error
	for _, path := range kind.Paths {
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
