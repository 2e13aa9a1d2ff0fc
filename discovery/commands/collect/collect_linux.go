package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	kind "assimilation/discovery/commands"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/order"
)

// Limits of the facts.
const (
	maxCommands = 16 << 10
	maxText     = 512
)

// Path are the directories in which root's commands are looked for, those that win
// first.
var Path = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/snap/bin"}

// Collector lists commands.
type Collector struct {
	root     fs.FS
	path     string // the same root for inotify(7)
	getxattr func(path, name string, into []byte) (int, error)
}

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system; getxattr asks for an attribute of a file by its
// absolute path, following no link.
func New(root fs.FS, path string, getxattr func(string, string, []byte) (int, error)) *Collector {
	return &Collector{root, path, getxattr}
}

// Local returns the collector of this host.
func Local() *Collector { return New(os.DirFS("/"), "", unix.Lgetxattr) }

// Kind is the kind "commands".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Watch waits for commands that come and go, or change owner or mode.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	var places []string
	for _, dir := range c.directories() {
		places = append(places, dir+"/")
	}
	return conffile.Watch(ctx, c.path, places, changed)
}

// Collect returns a fact for each instance that has commands.
func (c *Collector) Collect(ctx context.Context) ([]discovery.Fact, error) {
	byInstance := map[string][]kind.Command{}
	total := 0
	var problems []error
	for _, dir := range c.directories() {
		entries, err := fs.ReadDir(c.root, dir[1:])
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				problems = append(problems, fmt.Errorf("listing commands: %w", err))
			}
			continue
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			command, is := c.command(dir, e)
			if !is {
				continue
			}
			if total++; total > maxCommands {
				problems = append(problems, &discovery.Degraded{What: fmt.Sprintf("more than %d commands: the others are left out", maxCommands)})
				break
			}
			instance := kind.Instance(command.Name)
			byInstance[instance] = append(byInstance[instance], command)
		}
	}
	var facts []discovery.Fact
	for i := range kind.Instances {
		instance := strconv.FormatInt(int64(i), 16)
		all := byInstance[instance]
		if len(all) == 0 {
			continue
		}
		order.By(all, func(a, b *kind.Command) int { return strings.Compare(a.Name, b.Name) })
		fact, err := discovery.NewFact(kind.Kind, instance, kind.Facts{Commands: all})
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	return facts, errors.Join(problems...)
}

// directories are those of the path that are no links: on most systems /bin is one
// to /usr/bin.
func (c *Collector) directories() (dirs []string) {
	for _, dir := range Path {
		if info, err := fs.Lstat(c.root, dir[1:]); err == nil && info.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// command describes an entry of a directory; false if it cannot be run.
func (c *Collector) command(dir string, e fs.DirEntry) (kind.Command, bool) {
	name := discovery.Clean(e.Name(), maxText)
	if name != e.Name() { // two such names could be the same when cleaned
		return kind.Command{}, false
	}
	file := path.Join(dir, name)
	out := kind.Command{Name: name, Dir: dir}
	if e.Type()&fs.ModeSymlink != 0 {
		target, err := fs.ReadLink(c.root, file[1:])
		if err != nil {
			return out, false
		}
		out.Link = discovery.Clean(target, maxText)
		// What a link outside the root that is read points to is not known.
		info, err := fs.Stat(c.root, file[1:])
		return out, err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	}
	info, err := e.Info()
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return out, false
	}
	out.Rights = c.rights(file, info)
	return out, true
}

// rights are what a file gives to who runs it.
func (c *Collector) rights(file string, info fs.FileInfo) (rights []string) {
	if owner, ok := owners(info); ok && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		if info.Mode()&fs.ModeSetgid != 0 {
			rights = append(rights, "setgid "+strconv.FormatUint(uint64(owner.gid), 10))
		}
		if info.Mode()&fs.ModeSetuid != 0 {
			rights = append(rights, "setuid "+strconv.FormatUint(uint64(owner.uid), 10))
		}
	}
	attribute := make([]byte, 64) // vfs_ns_cap_data has 24 bytes
	if n, err := c.getxattr(file, "security.capability", attribute); err == nil && n <= len(attribute) {
		rights = append(rights, capabilities(attribute[:max(n, 0)])...)
	}
	slices.Sort(rights)
	return rights
}
