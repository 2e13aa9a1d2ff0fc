package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

const (
	maxJSON   = 256 << 20 // of manifest.json and end.json
	maxWindow = 64 << 20  // that a reader must hold to unpack
)

// reader reads an archive.
type reader struct {
	tar      *tar.Reader
	unpacker *zstd.Decoder
	next     *tar.Header // not read yet
	manifest Manifest
}

// ageBegins is the first line of what age seals.
const ageBegins = "age-encryption.org/"

// errSealed says that identities are missing.
var errSealed = errors.New("the backup is sealed: name the file with the identity that opens it (--identity)")

// newReader reads the manifest, which check has then found good. Close it.
func newReader(in io.Reader, identities []age.Identity) (*reader, error) {
	buffered := bufio.NewReaderSize(in, 1<<20)
	in = buffered
	if begin, _ := buffered.Peek(len(ageBegins)); bytes.Equal(begin, []byte(ageBegins)) {
		if len(identities) == 0 {
			return nil, errSealed
		}
		opened, err := age.Decrypt(buffered, identities...)
		if err != nil {
			return nil, fmt.Errorf("opening the backup: %w", err)
		}
		in = opened
	}
	unpacker, err := zstd.NewReader(in, zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	r := &reader{tar: tar.NewReader(unpacker), unpacker: unpacker}
	if err = r.advance(); err == nil {
		err = r.json(manifestName, &r.manifest)
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("reading the backup's manifest: %w", err)
	}
	if err := r.manifest.check(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *reader) Close() { r.unpacker.Close() }

func (r *reader) advance() (err error) {
	r.next, err = r.tar.Next()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // end.json ends an archive
	}
	return err
}

func (r *reader) json(name string, into any) error {
	if r.next.Name != name || r.next.Size > maxJSON {
		return fmt.Errorf("%.100q stands where %s should", r.next.Name, name)
	}
	return json.NewDecoder(io.LimitReader(r.tar, maxJSON)).Decode(into)
}

// tables calls visit with the rows of each table, in order, and compares what it
// read with the archive's end, which it returns. visit reads all.
func (r *reader) tables(visit func(s source, in io.Reader) error) (End, error) {
	if err := r.advance(); err != nil {
		return End{}, err
	}
	read := map[string]Digest{}
	for _, s := range r.manifest.sources() {
		t := &tableReader{from: r, entry: s.entry}
		if err := visit(s, t); err != nil {
			return End{}, fmt.Errorf("%s: %w", s.entry, err)
		}
		digest, err := t.rows.end()
		if err != nil {
			return End{}, fmt.Errorf("%s: %w", s.entry, err)
		}
		read[s.entry] = digest
	}
	var end End
	if err := r.json(endName, &end); err != nil {
		return End{}, err
	}
	if len(end.Tables) != len(read) {
		return End{}, fmt.Errorf("the backup's end tells of %d tables, its manifest of %d", len(end.Tables), len(read))
	}
	for entry, want := range end.Tables {
		if read[entry] != want {
			return End{}, fmt.Errorf("%s: the %d rows are not the %d that were written", entry, read[entry].Rows, want.Rows)
		}
	}
	// To the last byte: what seals and packs has checksums of its own.
	if _, err := io.Copy(io.Discard, r.unpacker); err != nil {
		return End{}, fmt.Errorf("reading to the end: %w", err)
	}
	return end, nil
}

// tableReader reads the parts of one table as one.
type tableReader struct {
	from  *reader
	entry string
	rows  rows
}

func (t *tableReader) Read(p []byte) (int, error) {
	for path.Dir(t.from.next.Name) == t.entry {
		n, err := t.from.tar.Read(p)
		if n > 0 {
			_, failed := t.rows.Write(p[:n])
			return n, failed
		}
		if err != io.EOF {
			return 0, err
		}
		if err := t.from.advance(); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}
