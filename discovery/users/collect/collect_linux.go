package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"assimilation/discovery"
	"assimilation/discovery/internal/filewatch"
	kind "assimilation/discovery/users"
)

// The files, from the root.
const (
	passwdFile = "etc/passwd"
	groupFile  = "etc/group"
	shadowFile = "etc/shadow"
)

// Collector reads the account files.
type Collector struct {
	root fs.FS
	path string // the same root for inotify(7), which knows no fs.FS
}

// New returns a collector of the system whose files are under root; path is
// where root stands in the file system, for Watch.
func New(root fs.FS, path string) *Collector { return &Collector{root, path} }

// Local returns the collector of this host.
func Local() *Collector { return New(os.DirFS("/"), "") }

// Kind is the kind "users".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact; none on a system without accounts.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	passwd, err := c.read(passwdFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	group, err := c.read(groupFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	users, manyUsers := parsePasswd(passwd)
	groups, manyGroups := parseGroup(group)
	var problems []error
	if manyUsers || manyGroups {
		problems = append(problems, &discovery.Degraded{What: fmt.Sprintf("more than %d accounts or groups: the others are left out", maxEntries)})
	}
	shadow, err := c.read(shadowFile)
	switch {
	case errors.Is(err, fs.ErrPermission):
		problems = append(problems, &discovery.Degraded{Needs: discovery.DACReadSearch, What: "which passwords are set"})
	case errors.Is(err, fs.ErrNotExist): // a system without: passwd has them all
	case err != nil:
		return nil, err
	default:
		judgeShadow(shadow, users)
	}
	clear(shadow)
	clear(passwd)
	fact, err := discovery.NewFact(kind.Kind, "", kind.Facts{Users: users, Groups: groups})
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, errors.Join(problems...)
}

func (c *Collector) read(name string) ([]byte, error) {
	file, err := c.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	return content, nil
}

// Watch waits for the files to be replaced.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	return filewatch.Watch(ctx, []string{c.path + "/" + passwdFile, c.path + "/" + groupFile, c.path + "/" + shadowFile}, changed)
}
