package conffile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/filewatch"
)

// Source is how one kind is made of files.
type Source struct {
	Kind discovery.Kind
	// Places are the files, and directories (ending in "/"), whose changes are
	// changes of the fact.
	Places []string
	// Body makes the body of the one fact, nil if there is none.
	Body func(*Reader) any
}

// Collector makes one fact of files.
type Collector struct {
	source Source
	root   fs.FS
	path   string // the same root for inotify(7), which knows no fs.FS
}

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system, for Watch.
func New(source Source, root fs.FS, path string) *Collector {
	return &Collector{source, root, path}
}

// Local returns a collector of this host.
func Local(source Source) *Collector { return New(source, os.DirFS("/"), "") }

// Kind is the kind of the fact.
func (c *Collector) Kind() discovery.Kind { return c.source.Kind }

// Collect returns the one fact, or none.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	reader := NewReader(c.root)
	body := c.source.Body(reader)
	if body == nil {
		return nil, reader.Err()
	}
	fact, err := discovery.NewFact(c.source.Kind, "", body)
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, reader.Err()
}

// Watching is a Collector to which the kernel tells changes.
type Watching struct{ *Collector }

// Watched returns a collector that is told of changes in the source's places.
func Watched(source Source, root fs.FS, path string) Watching {
	return Watching{New(source, root, path)}
}

// Watch waits for changes. Where none of the places is there, it waits for none:
// the interval finds what is installed later.
func (c Watching) Watch(ctx context.Context, changed func()) error {
	return Watch(ctx, c.path, c.source.Places, changed)
}

// goneFor is how long a directory that was removed may stay away until the others
// are watched without it: who replaces one makes it anew at once.
const goneFor = time.Second

// Watch is filewatch.Watch of places under a root; it is no error that there are
// none, and one that is removed leaves the others watched.
func Watch(ctx context.Context, root string, places []string, changed func()) error {
	return watch(ctx, root, places, func() {}, changed)
}

// WatchFound is Watch of places that are found anew with each change, as
// directories within one that is watched.
func WatchFound(ctx context.Context, root string, find func() []string, changed func()) error {
	for ctx.Err() == nil {
		places := find()
		round, another := context.WithCancel(ctx)
		look := func() {
			if !slices.Equal(find(), places) {
				another()
			}
		}
		armed := func() { // what came before that was not told
			if look(); round.Err() != nil {
				changed()
			}
		}
		err := watch(round, root, places, armed, func() {
			changed()
			look()
		})
		another()
		if err != nil {
			return err
		}
	}
	return nil
}

func watch(ctx context.Context, root string, places []string, armed, changed func()) error {
	files := make([]string, len(places))
	for i, place := range places {
		files[i] = root + place
	}
	for {
		err := filewatch.WatchFrom(ctx, files, armed, changed)
		if errors.Is(err, fs.ErrNotExist) {
			<-ctx.Done()
			return nil
		}
		if !errors.Is(err, filewatch.ErrGone) {
			return err
		}
		changed()
		again := time.NewTimer(goneFor)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-again.C:
			changed() // by what happened since
		}
	}
}
