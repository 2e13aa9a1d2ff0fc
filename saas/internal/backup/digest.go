package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Digest tells one set of rows from another, in whatever order they are read.
type Digest struct {
	Rows int64     `json:"rows"`
	Sum  [4]uint64 `json:"sum,omitzero"` // of the SHA-256 of each row, as four numbers
}

func (d *Digest) add(row []byte) {
	hash := sha256.Sum256(row)
	for i := range d.Sum {
		d.Sum[i] += binary.BigEndian.Uint64(hash[8*i:])
	}
	d.Rows++
}

// maxRow bounds a row: Postgres allows a value of 1 GiB, and the largest of ours, a
// fact's body, has 8 MiB.
const maxRow = 256 << 20

// rows digests a stream of lines.
type rows struct {
	digest  Digest
	partial []byte // the beginning of a line
}

func (r *rows) Write(p []byte) (int, error) {
	written := len(p)
	for {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		if !whole {
			break
		}
		if len(r.partial) > 0 {
			line = append(r.partial, line...)
			r.partial = r.partial[:0]
		}
		r.digest.add(line)
		p = rest
	}
	if len(r.partial)+len(p) > maxRow {
		return 0, fmt.Errorf("a row has more than %d bytes", maxRow)
	}
	r.partial = append(r.partial, p...)
	return written, nil
}

// end is the digest of all, which must have ended with a line.
func (r *rows) end() (Digest, error) {
	if len(r.partial) > 0 {
		return Digest{}, errors.New("the last row is cut")
	}
	return r.digest, nil
}
