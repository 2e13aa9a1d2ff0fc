package conffile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"assimilation/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type closedFS struct{ fstest.MapFS }

func (c closedFS) Open(name string) (fs.File, error) {
	if strings.Contains(name, "secret") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.MapFS.Open(name)
}

func TestReader(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	r := NewReader(closedFS{fstest.MapFS{
		"etc/a": file(" first \nsecond"), "etc/d/2.conf": file("2"), "etc/d/1.conf": file("1"), "etc/d/.hidden.conf": file("h"), "etc/d/x": file("x"),
		"etc/pipe": &fstest.MapFile{Mode: fs.ModeNamedPipe}, "etc/secret": file("s"), "etc/large": file(strings.Repeat("x", maxFile+1)),
		"etc/link": &fstest.MapFile{Data: []byte("a"), Mode: fs.ModeSymlink},
	}})
	if got := r.Line("/etc/a"); got != "first" {
		t.Errorf("line %q", got)
	}
	if got := strings.Join(r.Glob("/etc/d/*.conf"), " "); got != "/etc/d/1.conf /etc/d/2.conf" {
		t.Errorf("glob %q", got)
	}
	if got := r.Link("/etc/link"); got != "a" {
		t.Errorf("link %q", got)
	}
	for _, name := range []string{"/etc/pipe", "/etc/d", "/etc/missing", "/../../etc/missing", ""} {
		if text, found := r.File(name); found {
			t.Errorf("%s is read as %q", name, text)
		}
	}
	if err := r.Err(); err != nil {
		t.Errorf("what is not there is a problem: %v", err)
	}
	if text, found := r.File("/etc/large"); !found || len(text) != maxFile {
		t.Errorf("%d bytes of the large file", len(text))
	}
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "left out") {
		t.Errorf("error is %v", err)
	}
	r = NewReader(closedFS{fstest.MapFS{"etc/secret": file("s"), "etc/secret2": file("s")}})
	r.File("/etc/secret")
	r.File("/etc/secret2")
	if d, is := errors.AsType[*discovery.Degraded](r.Err()); !is || d.Needs != discovery.DACReadSearch || d.What != "/etc/secret and 1 more" {
		t.Errorf("error is %v", r.Err())
	}
}

type body struct {
	Text string `json:"text" class:"internal"`
}

func TestWatched(t *testing.T) {
	dir := t.TempDir()
	source := Source{
		Kind:   discovery.Kind{Name: "test", Version: 1, Interval: time.Hour, Timeout: time.Second, Body: body{}},
		Places: []string{"/conf.d/", "/missing/x"},
		Body: func(r *Reader) any {
			if r.Stat("/conf.d") == nil {
				return nil
			}
			return body{strings.Join(r.Dir("/conf.d"), " ")}
		},
	}
	c := Watched(source, os.DirFS(dir), dir)
	if facts, err := c.Collect(t.Context()); err != nil || len(facts) != 0 {
		t.Errorf("%v, %v", facts, err)
	}
	ended, cancelled := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	go func() { cancelled <- c.Watch(ctx, func() {}) }()
	if err := <-cancelled; err != nil {
		t.Errorf("watching nothing: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	events := make(chan struct{}, 1)
	go func() {
		ended <- c.Watch(ctx, func() {
			select {
			case events <- struct{}{}:
			default:
			}
		})
	}()
	name := filepath.Join(dir, "conf.d", "link")
	for told := false; !told; { // links come and go: no file is written
		if err := os.Symlink("/dev/null", name); err != nil {
			t.Fatal(err)
		}
		select {
		case <-events:
			told = true
		case err := <-ended:
			t.Fatal(err)
		default:
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	facts, err := c.Collect(t.Context())
	if err != nil || len(facts) != 1 || string(facts[0].Body) != `{"text":"link"}` {
		t.Errorf("%v, %v", facts, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
