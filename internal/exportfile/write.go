package exportfile

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Writer makes an export. Its errors are those of what it writes to.
type Writer struct {
	pack     *zstd.Encoder
	tar      *tar.Writer
	manifest Manifest
	lines    bytes.Buffer // of the file that is being filled
	rows     int64        // in it
	files    int          // of the table, before it
	digest   hash.Hash    // of the table
}

// NewWriter begins an export to w.
func NewWriter(w io.Writer, about About) (*Writer, error) {
	pack, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("making a compressor: %w", err)
	}
	return &Writer{pack: pack, tar: tar.NewWriter(pack), manifest: Manifest{Format: Format, Version: Version, About: about}}, nil
}

// Table begins a table, whose rows follow; one without rows is in the manifest
// all the same.
func (w *Writer) Table(name string) error {
	if err := w.endTable(); err != nil {
		return err
	}
	w.manifest.Tables = append(w.manifest.Tables, Table{Name: name})
	w.files, w.digest = 0, sha256.New()
	return nil
}

// Row adds a line, which is one JSON object without a line feed.
func (w *Writer) Row(line []byte) error {
	if len(line) > MaxLine {
		return fmt.Errorf("a row of %s has %d bytes", w.table().Name, len(line))
	}
	w.lines.Write(line)
	w.lines.WriteByte('\n')
	w.rows++
	w.table().Rows++
	if w.lines.Len() < fileSize {
		return nil
	}
	return w.endFile()
}

// Close ends the export with its manifest. It does not close what it wrote to.
func (w *Writer) Close() error {
	if err := w.endTable(); err != nil {
		return err
	}
	text, err := json.Marshal(w.manifest)
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	if err := w.put(manifestName, text); err != nil {
		return err
	}
	if err := w.tar.Close(); err != nil {
		return err
	}
	return w.pack.Close()
}

// Abandon gives up what memory the export holds; nobody can take what was
// written for a whole one.
func (w *Writer) Abandon() { w.pack.Reset(io.Discard) }

func (w *Writer) table() *Table { return &w.manifest.Tables[len(w.manifest.Tables)-1] }

func (w *Writer) endTable() error {
	if len(w.manifest.Tables) == 0 {
		return nil
	}
	if err := w.endFile(); err != nil {
		return err
	}
	w.table().SHA256 = hex.EncodeToString(w.digest.Sum(nil))
	return nil
}

func (w *Writer) endFile() error {
	if w.rows == 0 {
		return nil
	}
	w.files++
	name := fmt.Sprintf("%s/%06d.ndjson", w.table().Name, w.files)
	w.digest.Write(w.lines.Bytes())
	sum := sha256.Sum256(w.lines.Bytes())
	w.manifest.Files = append(w.manifest.Files, File{name, w.rows, int64(w.lines.Len()), hex.EncodeToString(sum[:])})
	err := w.put(name, w.lines.Bytes())
	w.lines.Reset()
	w.rows = 0
	return err
}

func (w *Writer) put(name string, content []byte) error {
	header := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600, ModTime: w.manifest.TakenAt.Truncate(1e9), Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(&header); err != nil {
		return err
	}
	_, err := w.tar.Write(content)
	return err
}
