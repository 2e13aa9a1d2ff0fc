// Package rpmdb reads the names and versions of installed packages from rpm's
// own databases, without rpm: SQLite (rpm 4.16 and later: Fedora 33, RHEL 9),
// NDB (SUSE) and the hash tables of Berkeley DB (RHEL up to 8).
//
// It reads as little as it can, page by page, never writes, takes no lock, and
// bounds what it does by the size of the file: any bytes at all give packages
// or an error. Whoever calls must see to it that the file did not change
// meanwhile.
package rpmdb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Package is one installed package. Texts are as the database holds them, cut
// to MaxText bytes.
type Package struct {
	Name, Version, Release, Arch, License string
	Epoch                                 uint32 // 0 where there is none, which rpm takes for the same
}

// MaxText bounds each text of a package, in bytes.
const MaxText = 1024

// MaxPackages bounds a database. A large server has some 5,000.
const MaxPackages = 200_000

var (
	errTooMany = fmt.Errorf("more than %d packages", MaxPackages)
	errPage    = errors.New("page number is beyond the file")
	errLoop    = errors.New("more pages are linked than the file has")
)

// The tags of rpm's header that are read, and their types (rpmtag.h).
const (
	tagName    = 1000
	tagVersion = 1001
	tagRelease = 1002
	tagEpoch   = 1003
	tagLicense = 1014
	tagArch    = 1022

	typeInt32  = 4
	typeString = 6
)

// Limits of rpm's own (header.c).
const (
	maxTags       = 0xffff
	maxHeaderData = 256 << 20
	tagSize       = 16
)

// place is where a tag's value stands in a header's data.
type place struct{ tag, offset uint32 }

// readHeader reads rpm's header without its magic: the numbers of tags and of
// bytes of data, the tags (number, type, offset, count), the data; all numbers
// big endian. It reads no further than the last value of interest.
func readHeader(in *bufio.Reader, size int64) (Package, error) {
	var intro [8]byte
	if _, err := io.ReadFull(in, intro[:]); err != nil {
		return Package{}, fmt.Errorf("reading a header: %w", err)
	}
	tags, data := binary.BigEndian.Uint32(intro[:]), binary.BigEndian.Uint32(intro[4:])
	if tags > maxTags || data > maxHeaderData || int64(len(intro))+int64(tags)*tagSize+int64(data) > size {
		return Package{}, fmt.Errorf("header of %d tags and %d bytes does not fit in %d bytes", tags, data, size)
	}
	places, err := readPlaces(in, tags, data)
	if err != nil {
		return Package{}, err
	}
	var p Package
	at := uint32(0)
	for _, next := range places {
		if next.offset < at {
			return Package{}, errors.New("values of a header overlap")
		}
		if _, err := in.Discard(int(next.offset - at)); err != nil {
			return Package{}, fmt.Errorf("reading a header: %w", err)
		}
		n, err := p.read(in, next.tag)
		if err != nil {
			return Package{}, fmt.Errorf("reading tag %d of a header: %w", next.tag, err)
		}
		at = next.offset + n
	}
	return p, nil
}

// readPlaces returns where the values of interest stand, in the order of their
// offsets.
func readPlaces(in *bufio.Reader, tags, data uint32) ([]place, error) {
	var places []place
	var seen uint64 // bits by tag - tagName: a tag counts once
	for range tags {
		var entry [tagSize]byte
		if _, err := io.ReadFull(in, entry[:]); err != nil {
			return nil, fmt.Errorf("reading a header's tags: %w", err)
		}
		tag, kind := binary.BigEndian.Uint32(entry[:]), binary.BigEndian.Uint32(entry[4:])
		offset, count := binary.BigEndian.Uint32(entry[8:]), binary.BigEndian.Uint32(entry[12:])
		switch tag {
		case tagName, tagVersion, tagRelease, tagLicense, tagArch:
			if kind != typeString {
				continue
			}
		case tagEpoch:
			if kind != typeInt32 || count != 1 {
				continue
			}
		default:
			continue
		}
		if bit := uint64(1) << (tag - tagName); seen&bit == 0 && offset < data {
			seen |= bit
			places = append(places, place{tag, offset})
			for i := len(places) - 1; i > 0 && places[i].offset < places[i-1].offset; i-- {
				places[i], places[i-1] = places[i-1], places[i]
			}
		}
	}
	return places, nil
}

// read reads one value and returns its length.
func (p *Package) read(in *bufio.Reader, tag uint32) (uint32, error) {
	if tag == tagEpoch {
		var b [4]byte
		_, err := io.ReadFull(in, b[:])
		p.Epoch = binary.BigEndian.Uint32(b[:])
		return 4, err
	}
	part, err := in.ReadSlice(0)
	text := string(part[:min(len(part), MaxText)])
	n := uint32(len(part))
	for errors.Is(err, bufio.ErrBufferFull) {
		part, err = in.ReadSlice(0)
		n += uint32(len(part))
	}
	if err != nil {
		return n, err
	}
	if len(text) == int(n) {
		text = text[:n-1]
	}
	switch tag {
	case tagName:
		p.Name = text
	case tagVersion:
		p.Version = text
	case tagRelease:
		p.Release = text
	case tagLicense:
		p.License = text
	case tagArch:
		p.Arch = text
	}
	return n, nil
}

// collector hands packages on and counts them.
type collector struct {
	in    *bufio.Reader
	each  func(Package)
	count int
}

func newCollector(each func(Package)) *collector {
	return &collector{in: bufio.NewReaderSize(nil, 4<<10), each: each}
}

// header reads one header blob of that size.
func (c *collector) header(blob io.Reader, size int64) error {
	if c.count++; c.count > MaxPackages {
		return errTooMany
	}
	c.in.Reset(blob)
	p, err := readHeader(c.in, size)
	if err == nil {
		c.each(p)
	}
	return err
}
