package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The format of rpm's NDB, Packages.db (lib/backend/ndb/rpmpkg.c), all numbers
// little endian: a header, a table of slots, and blobs of whole blocks.
const (
	ndbMagic      = "RpmP"
	ndbSlotMagic  = "Slot"
	ndbBlobMagic  = "BlbS"
	ndbPageSize   = 4096
	ndbBlockSize  = 16
	ndbSlotSize   = 16
	ndbHeaderSize = 32
	ndbBlobHeader = 16
)

// ReadNDB calls each for every package of Packages.db.
func ReadNDB(file io.ReaderAt, size int64, each func(Package)) error {
	if err := readNDB(file, size, each); err != nil {
		return fmt.Errorf("NDB database: %w", err)
	}
	return nil
}

func readNDB(file io.ReaderAt, size int64, each func(Package)) error {
	page := make([]byte, ndbPageSize)
	if _, err := file.ReadAt(page, 0); err != nil {
		return noEOF(err)
	}
	pages := int64(binary.LittleEndian.Uint32(page[12:]))
	switch version := binary.LittleEndian.Uint32(page[4:]); {
	case string(page[:4]) != ndbMagic:
		return errors.New("wrong magic")
	case version != 0:
		return fmt.Errorf("version %d", version)
	case pages*ndbPageSize > size:
		return errPage
	}
	packages := newCollector(each)
	slots := page[ndbHeaderSize:]
	for i := int64(0); i < pages; i++ {
		if i > 0 {
			slots = page
			if _, err := file.ReadAt(slots, i*ndbPageSize); err != nil {
				return noEOF(err)
			}
		}
		for ; len(slots) > 0; slots = slots[ndbSlotSize:] {
			if string(slots[:4]) != ndbSlotMagic {
				return errors.New("slot has a wrong magic")
			}
			index := binary.LittleEndian.Uint32(slots[4:])
			if index == 0 {
				continue // free
			}
			at := int64(binary.LittleEndian.Uint32(slots[8:])) * ndbBlockSize
			room := int64(binary.LittleEndian.Uint32(slots[12:])) * ndbBlockSize
			if at+room > size {
				return fmt.Errorf("package %d: %w", index, errPage)
			}
			if err := readBlob(file, index, at, room, packages); err != nil {
				return fmt.Errorf("package %d: %w", index, err)
			}
		}
	}
	return nil
}

func readBlob(file io.ReaderAt, index uint32, at, room int64, packages *collector) error {
	var head [ndbBlobHeader]byte
	if _, err := file.ReadAt(head[:], at); err != nil {
		return noEOF(err)
	}
	length := int64(binary.LittleEndian.Uint32(head[12:]))
	if !bytes.HasPrefix(head[:], []byte(ndbBlobMagic)) || binary.LittleEndian.Uint32(head[4:]) != index || length > room-ndbBlobHeader {
		return errors.New("slot and blob disagree")
	}
	return packages.header(io.NewSectionReader(file, at+ndbBlobHeader, length), length)
}
