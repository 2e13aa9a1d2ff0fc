package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/scripts"
)

const (
	root      = 0
	maxListed = 256 // scripts, refused ones included
	maxReason = 512 // bytes
)

// Collector reads the folder of scripts. It is a discovery.Family: its members run
// them.
type Collector struct {
	dir     string
	owner   uint32
	members []discovery.Collector
}

// New returns a collector of the scripts in a folder that, as they, must belong
// to owner.
func New(dir string, owner uint32) *Collector { return &Collector{dir: dir, owner: owner} }

// Local returns the collector of this host.
func Local() *Collector { return New(kind.Directory, root) }

// Kind is the kind of the roll.
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Members are the scripts that may run.
func (c *Collector) Members() []discovery.Collector { return c.members }

// Collect lists the scripts, and reports each that is refused. Only what is
// executable is a script; beside it stand conf files and what people leave.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		c.members = nil
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the scripts: %w", err)
	}
	if err := trusted(c.dir, c.owner); err != nil {
		c.members = nil
		return nil, fmt.Errorf("no script is run: %w", err)
	}
	var members []discovery.Collector
	var facts []discovery.Fact
	var problems []error
	for _, entry := range entries { // sorted by name
		info, err := script(c.dir, entry)
		if err != nil {
			return nil, fmt.Errorf("reading the scripts: %w", err)
		}
		if info == nil {
			continue
		}
		if len(facts) == maxListed {
			problems = append(problems, &discovery.Degraded{What: fmt.Sprintf("more than %d scripts", maxListed)})
			break
		}
		a, err := admit(c.dir, info, c.owner)
		if err == nil && len(members) == kind.Max {
			err = fmt.Errorf("is one too many: at most %d scripts are run", kind.Max)
		}
		instance, body := a.Kind().Name, kind.Facts{Interval: int64(a.interval / time.Second), Timeout: int64(a.timeout / time.Second)}
		if err != nil {
			subject := kind.Subject(info.Name())
			instance, body = kind.Refused(subject), kind.Facts{Refused: discovery.Clean(err.Error(), maxReason)}
			problems = append(problems, &discovery.Invalid{Kind: kind.Kind.Name, Instance: subject, Why: c.dir + "/" + subject + " " + body.Refused})
		} else {
			members = append(members, a)
		}
		fact, err := discovery.NewFact(kind.Kind, instance, body)
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	c.members = members
	return facts, errors.Join(problems...)
}

// script looks at an entry of the folder; nil: it is no script, or went meanwhile.
// A link is one if it leads to one.
func script(dir string, entry fs.DirEntry) (fs.FileInfo, error) {
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	of := info
	if info.Mode()&fs.ModeSymlink != 0 {
		if of, err = os.Stat(filepath.Join(dir, entry.Name())); err != nil {
			return nil, nil // it leads nowhere
		}
	}
	if !of.Mode().IsRegular() || of.Mode().Perm()&executable == 0 {
		return nil, nil
	}
	return info, nil
}

// Watch waits for changes in the folder. It also watches the one above, in which
// the folder may appear and vanish.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	return conffile.WatchFound(ctx, "", func() []string {
		places := []string{filepath.Dir(c.dir) + "/"}
		if c.there() {
			places = append(places, c.dir+"/")
		}
		return places
	}, changed)
}

func (c *Collector) there() bool {
	info, err := os.Lstat(c.dir)
	return err == nil && info.IsDir()
}
