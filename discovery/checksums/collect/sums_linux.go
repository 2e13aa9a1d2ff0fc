package collect

import (
	"crypto/sha256"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"assimilation/discovery"
	kind "assimilation/discovery/checksums"
)

const (
	// budget is how many bytes one collection reads: some 0.1 s of a CPU. The
	// schedule rests twenty times as long before the next.
	budget = 32 << 20
	// maxBytes is of the largest file that is read, if alone.
	maxBytes = 1 << 30
)

// content tells one content of a file from all others, as far as that can be
// known without reading it: whoever writes to a file changes its ctime.
type content struct {
	device, inode uint64
	size          int64
	mtime, ctime  syscall.Timespec
}

// sums are the checksums of contents that were read.
type sums map[content][sha256.Size]byte

// round is one collection.
type round struct {
	root    fs.FS
	memory  sums // of this and earlier collections
	known   sums // of the files that there still are
	budget  int64
	left    bool // not everything was read
	scratch []byte
}

func (s sums) round(root fs.FS) *round {
	return &round{root: root, memory: s, known: sums{}, budget: budget}
}

// sum fills in a file's size and checksum.
func (r *round) sum(f *kind.File) error {
	info, err := fs.Stat(r.root, strings.TrimPrefix(f.Path, "/"))
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fs.ErrInvalid
	}
	f.Bytes = info.Size()
	if f.Bytes > maxBytes {
		return nil
	}
	id := content{size: info.Size(), mtime: syscall.NsecToTimespec(info.ModTime().UnixNano())}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		id = content{uint64(s.Dev), s.Ino, s.Size, s.Mtim, s.Ctim}
	}
	sum, seen := r.memory[id]
	if !seen {
		// A file that is larger than the budget is read where nothing was before it.
		if r.budget < budget && r.budget < f.Bytes {
			r.left = true
			return nil
		}
		if sum, err = r.read(f.Path); err != nil {
			return err
		}
		r.memory[id] = sum
	}
	r.known[id] = sum
	f.SHA256 = discovery.Hash(sum).String()
	return nil
}

// read hashes a file. One that grows meanwhile is read to no more than its limit.
func (r *round) read(path string) (sum [sha256.Size]byte, err error) {
	file, err := r.root.Open(strings.TrimPrefix(path, "/"))
	if err != nil {
		return sum, err
	}
	defer file.Close()
	if r.scratch == nil {
		r.scratch = make([]byte, 128<<10)
	}
	h := sha256.New()
	// Without WriterTo and ReaderFrom, which would have a buffer of their own.
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{io.LimitReader(file, maxBytes)}, r.scratch)
	r.budget -= n
	h.Sum(sum[:0])
	return sum, err
}
