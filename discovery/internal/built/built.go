// Package built reads out of programs what they were built of: the modules of a Go
// program, the crates of a Rust program that was built with cargo-auditable, the
// artifacts in a jar. It reads no more than it needs of a file. The packages debug/buildinfo and
// archive/zip would cost the probe 400 kB.
package built

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// Part is a package that is part of a program.
type Part struct {
	Manager string // go, cargo, maven
	Name    string
	Version string
	Within  string // of a jar in a jar: its name there
}

// Limits of what one file tells. Whoever runs a program chooses what stands in it.
const (
	MaxParts = 4096
	maxText  = 256 // bytes of a name or version; what is longer is cut
)

// part is a copy: what it was cut out of is not kept in memory with it.
func part(manager, name, version, within string) Part {
	short := func(s string) string { return strings.Clone(s[:min(len(s), maxText)]) }
	return Part{manager, short(name), short(version), short(within)}
}

var errMalformed = errors.New("not as it should be")

// Program returns the parts of an executable in ELF; none of one that does not say.
func Program(file io.ReaderAt) []Part {
	if info, err := section(file, ".go.buildinfo", 1<<20); err == nil {
		return goParts(info)
	}
	if info, err := section(file, ".dep-v0", 1<<20); err == nil {
		return rustParts(info)
	}
	return nil
}

// section returns the content of a section of an ELF file (elf(5)), at most limit bytes.
func section(file io.ReaderAt, name string, limit uint64) ([]byte, error) {
	header := make([]byte, 64)
	if n, err := file.ReadAt(header, 0); n < 52 || err != nil && !errors.Is(err, io.EOF) || string(header[:4]) != "\x7fELF" {
		return nil, errMalformed
	}
	e := layout{wide: header[4] == 2, order: binary.LittleEndian}
	if header[5] == 2 {
		e.order = binary.BigEndian
	}
	table, size, count, names := e.word(header, 40, 32), e.half(header, 58, 46), e.half(header, 60, 48), e.half(header, 62, 50)
	want := uint64(40)
	if e.wide {
		want = 64
	}
	if size != want || count == 0 || names >= count {
		return nil, errMalformed
	}
	all := make([]byte, size*count) // 4 MB at most
	if _, err := file.ReadAt(all, int64(table)); err != nil {
		return nil, errMalformed
	}
	of := func(i uint64) (offset, length uint64) {
		one := all[i*size:]
		return e.word(one, 24, 16), e.word(one, 32, 20)
	}
	texts, length := of(names)
	text := make([]byte, min(length, 64<<10))
	if _, err := file.ReadAt(text, int64(texts)); err != nil {
		return nil, errMalformed
	}
	for i := range count {
		at := uint64(e.order.Uint32(all[i*size:]))
		if at >= uint64(len(text)) || !bytes.HasPrefix(text[at:], append([]byte(name), 0)) {
			continue
		}
		offset, length := of(i)
		content := make([]byte, min(length, limit))
		if _, err := file.ReadAt(content, int64(offset)); err != nil {
			return nil, errMalformed
		}
		return content, nil
	}
	return nil, errMalformed
}

// layout is of the numbers in an ELF file: where they are in the two classes, and in
// which order of bytes.
type layout struct {
	wide  bool
	order binary.ByteOrder
}

// word is a number as wide as an address, never more than a file may be long.
func (e layout) word(b []byte, wide, narrow int) uint64 {
	if e.wide {
		return e.order.Uint64(b[wide:]) & (1<<62 - 1)
	}
	return uint64(e.order.Uint32(b[narrow:]))
}

func (e layout) half(b []byte, wide, narrow int) uint64 {
	if e.wide {
		return uint64(e.order.Uint16(b[wide:]))
	}
	return uint64(e.order.Uint16(b[narrow:]))
}
