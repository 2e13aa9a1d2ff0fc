package exportfile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds what a compressed stream can make the reader hold, in bytes.
const maxWindow = 8 << 20

// Verify reads an export to its end and returns its manifest when every file is
// there, and as the manifest says.
func Verify(r io.Reader) (Manifest, error) {
	unpack, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return Manifest{}, fmt.Errorf("reading the export: %w", err)
	}
	defer unpack.Close()
	entries := tar.NewReader(unpack)
	found := checker{tables: map[string]*tally{}}
	for {
		header, err := entries.Next()
		switch {
		case errors.Is(err, io.EOF):
			return Manifest{}, errors.New("the export has no manifest: it is cut off")
		case err != nil:
			return Manifest{}, fmt.Errorf("reading the export: %w", err)
		case header.Typeflag != tar.TypeReg:
			return Manifest{}, fmt.Errorf("%.100q is no plain file", header.Name)
		case header.Name == manifestName:
			return found.compare(entries, unpack)
		case len(found.files) == maxFiles:
			return Manifest{}, fmt.Errorf("the export has more than %d files", maxFiles)
		}
		if err := found.file(header.Name, entries); err != nil {
			return Manifest{}, fmt.Errorf("file %.100q: %w", header.Name, err)
		}
	}
}

// checker is what was found so far.
type checker struct {
	files  []File
	tables map[string]*tally
}

type tally struct {
	rows   int64
	digest hash.Hash
}

func (c *checker) file(name string, r io.Reader) error {
	table, part, ok := strings.Cut(name, "/")
	if !ok || len(name) > maxName || table == "" || !strings.HasSuffix(part, ".ndjson") {
		return errors.New("no table has such a file")
	}
	of := c.tables[table]
	if of == nil {
		of = &tally{digest: sha256.New()}
		c.tables[table] = of
	}
	f := File{Name: name}
	digest := sha256.New()
	lines := bufio.NewReader(io.LimitReader(r, maxFile+1))
	var line []byte
	for {
		part, err := lines.ReadSlice('\n')
		line = append(line, part...)
		f.Bytes += int64(len(part))
		digest.Write(part)
		of.digest.Write(part)
		switch {
		case f.Bytes > maxFile:
			return fmt.Errorf("it has more than %d bytes", maxFile)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) == 0:
			f.SHA256 = hex.EncodeToString(digest.Sum(nil))
			c.files = append(c.files, f)
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("line %d has no end", f.Rows+1)
		case err != nil:
			return err
		case !bytes.HasPrefix(line, []byte("{")) || !json.Valid(line):
			return fmt.Errorf("line %d is no JSON object", f.Rows+1)
		}
		f.Rows++
		of.rows++
		line = line[:0]
	}
}

// compare reads the manifest, which must be the last file, and holds it to what
// was found.
func (c *checker) compare(r io.Reader, rest io.Reader) (m Manifest, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	switch {
	case err != nil:
		return m, fmt.Errorf("reading the manifest: %w", err)
	case len(text) > maxManifest:
		return m, fmt.Errorf("the manifest has more than %d bytes", maxManifest)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("reading the manifest: %w", err)
	}
	if m.Format != Format || m.Version != Version {
		return m, fmt.Errorf("this is %.40q version %d, not %s version %d", m.Format, m.Version, Format, Version)
	}
	if len(m.Files) != len(c.files) {
		return m, fmt.Errorf("the manifest names %d files, the export has %d", len(m.Files), len(c.files))
	}
	for i, said := range m.Files {
		if has := c.files[i]; has != said {
			return m, fmt.Errorf("file %.100q is not as the manifest says: %d rows, %d bytes, SHA-256 %s", has.Name, has.Rows, has.Bytes, has.SHA256)
		}
	}
	named := map[string]bool{}
	for _, said := range m.Tables {
		has := c.tables[said.Name]
		if has == nil {
			has = &tally{digest: sha256.New()}
		}
		if sum := hex.EncodeToString(has.digest.Sum(nil)); named[said.Name] || has.rows != said.Rows || sum != said.SHA256 {
			return m, fmt.Errorf("table %.100q is not as the manifest says: %d rows, SHA-256 %s", said.Name, has.rows, sum)
		}
		named[said.Name] = true
	}
	for name := range c.tables {
		if !named[name] {
			return m, fmt.Errorf("the manifest does not name table %.100q", name)
		}
	}
	// What follows the manifest is the filling of the tar, but bounded.
	if n, err := io.Copy(io.Discard, io.LimitReader(rest, 1<<20)); err != nil || n == 1<<20 {
		return m, errors.Join(errors.New("something follows the manifest"), err)
	}
	return m, nil
}
