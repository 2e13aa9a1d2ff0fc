package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The format of Berkeley DB's hash tables (dbinc/db_page.h), in the byte order
// of the machine that made them.
const (
	bdbHashMagic     = 0x061561
	bdbPageHeader    = 26
	bdbHashUnsorted  = 2 // page types
	bdbOverflow      = 7
	bdbHash          = 13
	bdbItemInPage    = 1 // item types
	bdbItemOffPage   = 3
	bdbOffPageItem   = 12
	bdbMetaPageStart = 72
)

// ReadBDB calls each for every package of Packages, a hash table from package
// numbers to headers.
func ReadBDB(file io.ReaderAt, size int64, each func(Package)) error {
	if err := readBDB(file, size, each); err != nil {
		return fmt.Errorf("database of Berkeley DB: %w", err)
	}
	return nil
}

type bdb struct {
	file     io.ReaderAt
	order    binary.ByteOrder
	pageSize int64
	pages    int64
	budget   int64 // overflow pages that may still be read
}

func readBDB(file io.ReaderAt, size int64, each func(Package)) error {
	var meta [bdbMetaPageStart]byte
	if _, err := file.ReadAt(meta[:], 0); err != nil {
		return noEOF(err)
	}
	db := &bdb{file: file, order: binary.LittleEndian}
	if db.order.Uint32(meta[12:]) != bdbHashMagic {
		db.order = binary.BigEndian
	}
	if db.order.Uint32(meta[12:]) != bdbHashMagic {
		return errors.New("wrong magic")
	}
	db.pageSize = int64(db.order.Uint32(meta[20:]))
	if db.pageSize < 512 || db.pageSize > 64<<10 || db.pageSize&(db.pageSize-1) != 0 {
		return fmt.Errorf("page size of %d bytes", db.pageSize)
	}
	if meta[24] != 0 {
		return errors.New("is encrypted")
	}
	db.pages = size / db.pageSize
	db.budget = db.pages
	packages := newCollector(each)
	page := make([]byte, db.pageSize)
	for number := int64(1); number < db.pages; number++ {
		// Most pages hold a part of some header: their type tells, before more is read.
		head := page[:bdbPageHeader]
		if _, err := file.ReadAt(head, number*db.pageSize); err != nil {
			return noEOF(err)
		}
		if kind := head[25]; kind != bdbHash && kind != bdbHashUnsorted {
			continue
		}
		if _, err := file.ReadAt(page, number*db.pageSize); err != nil {
			return noEOF(err)
		}
		if err := db.hashPage(page, packages); err != nil {
			return fmt.Errorf("page %d: %w", number, err)
		}
	}
	return nil
}

// hashPage reads the pairs of a page, whose items lie from its end on.
func (db *bdb) hashPage(page []byte, packages *collector) error {
	items := int(db.order.Uint16(page[20:]))
	if bdbPageHeader+2*items > len(page) || items%2 != 0 {
		return fmt.Errorf("%d items", items)
	}
	end := len(page)
	var key []byte
	for i := range items {
		at := int(db.order.Uint16(page[bdbPageHeader+2*i:]))
		if at >= end || at < bdbPageHeader+2*items {
			return errors.New("items overlap")
		}
		item := page[at:end]
		end = at
		if i%2 == 0 {
			key = item
			continue
		}
		// Number 0 holds the next number to give.
		if len(key) == 5 && key[0] == bdbItemInPage && db.order.Uint32(key[1:]) == 0 {
			continue
		}
		if err := db.value(item, packages); err != nil {
			return err
		}
	}
	return nil
}

func (db *bdb) value(item []byte, packages *collector) error {
	switch {
	case item[0] == bdbItemInPage:
		return packages.header(bytes.NewReader(item[1:]), int64(len(item)-1))
	case item[0] == bdbItemOffPage && len(item) >= bdbOffPageItem:
		size := int64(db.order.Uint32(item[8:]))
		return packages.header(&overflow{db: db, next: db.order.Uint32(item[4:]), left: size}, size)
	}
	return fmt.Errorf("item of type %d", item[0])
}

// overflow reads a value that has pages of its own.
type overflow struct {
	db   *bdb
	at   []byte
	next uint32
	left int64
	buf  []byte
}

func (o *overflow) Read(b []byte) (int, error) {
	if o.left == 0 {
		return 0, io.EOF
	}
	for len(o.at) == 0 {
		if err := o.turn(); err != nil {
			return 0, err
		}
	}
	n := copy(b, o.at[:min(int64(len(o.at)), o.left)])
	o.at, o.left = o.at[n:], o.left-int64(n)
	return n, nil
}

// turn reads the next page.
func (o *overflow) turn() error {
	if o.next == 0 || int64(o.next) >= o.db.pages {
		return errPage
	}
	if o.db.budget--; o.db.budget < 0 {
		return errLoop
	}
	if o.buf == nil {
		o.buf = make([]byte, o.db.pageSize)
	}
	if _, err := o.db.file.ReadAt(o.buf, int64(o.next)*o.db.pageSize); err != nil {
		return noEOF(err)
	}
	length := int(o.db.order.Uint16(o.buf[22:])) // hf_offset is the length here
	if o.buf[25] != bdbOverflow || length > len(o.buf)-bdbPageHeader {
		return errors.New("value continues on a page of another kind")
	}
	o.next, o.at = o.db.order.Uint32(o.buf[16:]), o.buf[bdbPageHeader:bdbPageHeader+length]
	return nil
}
