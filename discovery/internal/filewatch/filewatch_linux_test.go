package filewatch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replace writes a file beside the one of that name and renames it over.
func replace(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestWatch changes each of several files until it is told; the watch is armed
// at some point of the loop, each round of which is one change.
func TestWatch(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	files := []string{filepath.Join(one, "passwd"), filepath.Join(one, "group"), filepath.Join(two, "status"), filepath.Join(two, "missing", "file")}
	for _, file := range files[:3] {
		ctx, cancel := context.WithCancel(t.Context())
		events := make(chan struct{}, 1)
		ended := make(chan error, 1)
		go func() {
			ended <- Watch(ctx, files, func() {
				select {
				case events <- struct{}{}:
				default:
				}
			})
		}()
		for told := false; !told; {
			replace(t, filepath.Join(two, "other")) // of no interest
			replace(t, file)
			select {
			case <-events:
				told = true
			case err := <-ended:
				t.Fatal(err)
			default:
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestMissingDirectory(t *testing.T) {
	if err := Watch(t.Context(), []string{t.TempDir() + "/missing/file"}, func() {}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestDirectoryRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	armed := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- Watch(t.Context(), []string{dir + "/file"}, func() {
			select {
			case armed <- struct{}{}:
			default:
			}
		})
	}()
	for waiting := true; waiting; {
		replace(t, dir+"/file")
		select {
		case <-armed:
			waiting = false
		case err := <-ended:
			t.Fatal(err)
		default:
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrGone) {
		t.Errorf("error is %v", err)
	}
}

// TestOneInstance lets two watch the same directory, of which one leaves.
func TestOneInstance(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var told [3]chan struct{}
	ended := make(chan error, len(told))
	for i, file := range []string{dir + "/a", dir + "/b", dir + "/"} {
		told[i] = make(chan struct{}, 1)
		ctx := ctx
		if i > 0 {
			ctx = t.Context()
		}
		go func() {
			ended <- Watch(ctx, []string{file}, func() {
				select {
				case told[i] <- struct{}{}:
				default:
				}
			})
		}()
	}
	for i, file := range []string{dir + "/a", dir + "/b", dir + "/other"} {
		for waiting := true; waiting; {
			replace(t, file)
			select {
			case <-told[i]:
				waiting = false
			case err := <-ended:
				t.Fatal(err)
			default:
			}
		}
	}
	process.mu.Lock()
	if len(process.subscribers) != 3 {
		t.Errorf("%d subscribers of one instance", len(process.subscribers))
	}
	process.mu.Unlock()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for len(told[1]) > 0 {
		<-told[1]
	}
	replace(t, dir+"/b")
	<-told[1]
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, ErrGone) {
			t.Errorf("error is %v", err)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00status\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		all, _ := events(b)
		s := subscriber{changed: func() {}, ended: make(chan error, 1), names: map[int32][]string{1: {"status"}}}
		for _, e := range all {
			s.take(e)
		}
	})
}
