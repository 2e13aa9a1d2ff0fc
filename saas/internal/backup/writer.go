package backup

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// partSize is about how much of a table is one file of the archive: its size comes
// before it, so it is held in memory.
const partSize = 4 << 20

const (
	manifestName = "manifest.json"
	endName      = "end.json"
)

// writer writes an archive.
type writer struct {
	tar    *tar.Writer
	packer *zstd.Encoder
	sealer io.WriteCloser // nil: not sealed
	at     time.Time      // of all files
	end    End
}

func newWriter(out io.Writer, recipients []age.Recipient, at time.Time) (*writer, error) {
	w := &writer{at: at, end: End{Tables: map[string]Digest{}}}
	if len(recipients) > 0 {
		sealer, err := age.Encrypt(out, recipients...)
		if err != nil {
			return nil, fmt.Errorf("sealing: %w", err)
		}
		w.sealer, out = sealer, sealer
	}
	packer, err := zstd.NewWriter(out)
	if err != nil {
		return nil, err
	}
	w.packer, w.tar = packer, tar.NewWriter(packer)
	return w, nil
}

// Close ends the archive and tells what is in it. It does not close what the
// archive is written to.
func (w *writer) Close() error {
	err := w.json(endName, w.end)
	err = errors.Join(err, w.tar.Close(), w.packer.Close())
	if w.sealer != nil {
		err = errors.Join(err, w.sealer.Close())
	}
	return err
}

func (w *writer) json(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	return w.file(name, text)
}

func (w *writer) file(name string, body []byte) error {
	if err := w.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(body)), ModTime: w.at, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := w.tar.Write(body)
	return err
}

// table takes the rows of one table. Close it before the next begins.
type table struct {
	to    *writer
	entry string
	part  int
	held  []byte
	rows  rows
	bytes int64
}

func (w *writer) table(entry string) *table { return &table{to: w, entry: entry} }

func (t *table) Write(p []byte) (int, error) {
	if _, err := t.rows.Write(p); err != nil {
		return 0, err
	}
	t.held = append(t.held, p...)
	t.bytes += int64(len(p))
	if len(t.held) >= partSize {
		return len(p), t.flush(bytes.LastIndexByte(t.held, '\n') + 1)
	}
	return len(p), nil
}

func (t *table) flush(upto int) error {
	if upto == 0 {
		return nil
	}
	err := t.to.file(fmt.Sprintf("%s/%06d.copy", t.entry, t.part), t.held[:upto])
	t.part++
	t.held = append(t.held[:0], t.held[upto:]...)
	return err
}

func (t *table) Close() error {
	digest, err := t.rows.end()
	if err != nil {
		return err
	}
	t.to.end.Tables[t.entry] = digest
	return t.flush(len(t.held))
}
