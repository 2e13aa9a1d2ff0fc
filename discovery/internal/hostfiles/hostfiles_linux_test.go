package hostfiles

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	plain, pipe, link := filepath.Join(dir, "plain"), filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(plain, []byte("text"), 0o600), unix.Mkfifo(pipe, 0o600), os.Symlink(pipe, link)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{plain: nil, dir: nil, pipe: errNoFile, link: errNoFile, "/dev/null": errNoFile, dir + "/none": fs.ErrNotExist, "/../etc": fs.ErrInvalid} {
		file, err := Root().Open(name[1:])
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if err == nil {
			file.Close()
		}
	}
	if text, err := fs.ReadFile(Root(), plain[1:]); string(text) != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if target, err := fs.ReadLink(Root(), link[1:]); target != pipe || err != nil {
		t.Errorf("%q, %v", target, err)
	}
	if all, err := fs.ReadDir(Root(), dir[1:]); len(all) != 3 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
}

// A file that looks plain and has no end is not waited for.
func TestEndless(t *testing.T) {
	const endless = "/sys/kernel/tracing/trace_pipe"
	file, err := Root().Open(endless[1:])
	if err != nil {
		t.Skipf("this kernel shows no %s: %v", endless, err)
	}
	defer file.Close()
	for buffer := make([]byte, 4096); err == nil; {
		_, err = file.Read(buffer)
	}
	if !errors.Is(err, unix.EAGAIN) && err != io.EOF {
		t.Error(err)
	}
}
