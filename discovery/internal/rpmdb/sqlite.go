package rpmdb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The format of SQLite's files: https://www.sqlite.org/fileformat2.html.
const (
	sqliteMagic   = "SQLite format 3\x00"
	sqliteHeader  = 100 // bytes before the first page's own
	leafPage      = 13  // of a table's b-tree
	interiorPage  = 5
	maxTreeDepth  = 20
	maxSchemaSize = 64 << 10 // bytes of one row of sqlite_schema
)

// ReadSQLite calls each for every package of rpmdb.sqlite. Its write-ahead log,
// rpmdb.sqlite-wal, may be nil or empty; what was committed to it counts.
func ReadSQLite(file io.ReaderAt, size int64, wal io.ReaderAt, walSize int64, each func(Package)) error {
	db, err := openSQLite(file, size, wal, walSize)
	if err != nil {
		return fmt.Errorf("SQLite database: %w", err)
	}
	root, err := db.findTable("Packages")
	if err != nil {
		return fmt.Errorf("SQLite schema: %w", err)
	}
	packages := newCollector(each)
	row := bufio.NewReaderSize(nil, 512)
	if err := db.walk(root, 0, func(payload io.Reader, _ int64) error {
		row.Reset(payload)
		columns, err := readColumns(row, 2) // hnum, blob
		if err != nil {
			return err
		}
		if columns[1] < 12 || columns[1]%2 != 0 {
			return errors.New("row of table Packages holds no blob")
		}
		if _, err := row.Discard(int(columnSize(columns[0]))); err != nil {
			return err
		}
		return packages.header(row, columnSize(columns[1]))
	}); err != nil {
		return fmt.Errorf("SQLite table Packages: %w", err)
	}
	return nil
}

// sqlite is an open database.
type sqlite struct {
	file     io.ReaderAt
	wal      io.ReaderAt
	inWAL    map[uint32]int64 // where the newest committed copy of a page stands in wal
	pageSize int
	usable   int    // bytes of a page without its reserved end
	pages    uint32 // in the file
	budget   uint64 // pages that may still be read
}

func openSQLite(file io.ReaderAt, size int64, wal io.ReaderAt, walSize int64) (*sqlite, error) {
	var header [sqliteHeader]byte
	if _, err := file.ReadAt(header[:], 0); err != nil {
		return nil, err
	}
	if string(header[:len(sqliteMagic)]) != sqliteMagic {
		return nil, errors.New("wrong magic")
	}
	db := &sqlite{file: file, wal: wal, pageSize: int(binary.BigEndian.Uint16(header[16:]))}
	if db.pageSize == 1 {
		db.pageSize = 64 << 10
	}
	if db.pageSize < 512 || db.pageSize&(db.pageSize-1) != 0 {
		return nil, fmt.Errorf("page size of %d bytes", db.pageSize)
	}
	if db.usable = db.pageSize - int(header[20]); db.usable < 480 {
		return nil, fmt.Errorf("only %d usable bytes on a page", db.usable)
	}
	db.pages = uint32(min(size/int64(db.pageSize), 1<<31))
	if wal != nil && walSize > 0 {
		inWAL, pages, err := readWAL(wal, walSize, db.pageSize)
		if err != nil {
			return nil, fmt.Errorf("write-ahead log: %w", err)
		}
		db.inWAL = inWAL
		db.pages = max(db.pages, pages)
	}
	// The header's own count is good while the one who wrote it was the last to write.
	if count := binary.BigEndian.Uint32(header[28:]); len(db.inWAL) == 0 && string(header[24:28]) == string(header[92:96]) && count > db.pages {
		return nil, fmt.Errorf("file has %d of its %d pages", db.pages, count)
	}
	// Each page of a sound tree is read once, the schema's twice at most.
	db.budget = 2*uint64(db.pages) + 16
	return db, nil
}

func (db *sqlite) page(number uint32, buf []byte) error {
	if number == 0 || number > db.pages {
		return errPage
	}
	if db.budget == 0 {
		return errLoop
	}
	db.budget--
	if at, ok := db.inWAL[number]; ok {
		_, err := db.wal.ReadAt(buf, at)
		return noEOF(err)
	}
	_, err := db.file.ReadAt(buf, int64(number-1)*int64(db.pageSize))
	return noEOF(err)
}

// noEOF makes an end where none may be an error of its own: io.EOF would be
// taken for a proper one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// findTable returns the root page of a table.
func (db *sqlite) findTable(name string) (uint32, error) {
	var root uint32
	row := bufio.NewReaderSize(nil, 512)
	err := db.walk(1, 0, func(payload io.Reader, size int64) error {
		if size > maxSchemaSize {
			return fmt.Errorf("row of %d bytes", size)
		}
		row.Reset(payload)
		columns, err := readColumns(row, 4) // type, name, tbl_name, rootpage
		if err != nil {
			return err
		}
		var values [4][]byte
		for i, c := range columns {
			if columnSize(c) > maxSchemaSize {
				return errors.New("column is too long")
			}
			values[i] = make([]byte, columnSize(c))
			if _, err := io.ReadFull(row, values[i]); err != nil {
				return noEOF(err)
			}
		}
		if string(values[0]) == "table" && string(values[1]) == name && columns[3] >= 1 && columns[3] <= 4 {
			root = 0
			for _, b := range values[3] {
				root = root<<8 | uint32(b)
			}
		}
		return nil
	})
	if err == nil && root == 0 {
		err = fmt.Errorf("no table %s", name)
	}
	return root, err
}

// walk calls each for every row of the tree under a page.
func (db *sqlite) walk(number uint32, depth int, each func(payload io.Reader, size int64) error) error {
	if depth > maxTreeDepth {
		return errLoop
	}
	page := make([]byte, db.pageSize)
	if err := db.page(number, page); err != nil {
		return err
	}
	header := page
	if number == 1 {
		header = page[sqliteHeader:]
	}
	cells, pointers := int(binary.BigEndian.Uint16(header[3:])), header[8:]
	kind := header[0]
	if kind == interiorPage {
		pointers = header[12:]
	} else if kind != leafPage {
		return fmt.Errorf("page %d is of type %d, no part of a table", number, kind)
	}
	if 2*cells > len(pointers) {
		return fmt.Errorf("page %d has %d cells", number, cells)
	}
	for i := range cells {
		at := int(binary.BigEndian.Uint16(pointers[2*i:]))
		if at+4 > db.usable {
			return fmt.Errorf("cell of page %d begins at its end", number)
		}
		var err error
		if cell := page[at:db.usable]; kind == interiorPage {
			err = db.walk(binary.BigEndian.Uint32(cell), depth+1, each)
		} else {
			err = db.leaf(cell, each)
		}
		if err != nil {
			return err
		}
	}
	if kind == interiorPage {
		return db.walk(binary.BigEndian.Uint32(header[8:]), depth+1, each)
	}
	return nil
}

// leaf opens the row of a cell: its size, its number, as much of it as is local,
// and the first page of the rest.
func (db *sqlite) leaf(cell []byte, each func(io.Reader, int64) error) error {
	size, n := varint(cell)
	_, m := varint(cell[n:])
	cell = cell[n+m:]
	if size > maxHeaderData+maxTags*tagSize {
		return fmt.Errorf("row of %d bytes", size)
	}
	local := db.localSize(int(size))
	row := &payload{db: db, left: int64(size)}
	if local < int(size) {
		if local+4 > len(cell) {
			return errors.New("row exceeds its page")
		}
		row.next = binary.BigEndian.Uint32(cell[local:])
	} else if local > len(cell) {
		return errors.New("row exceeds its page")
	}
	row.at = cell[:local]
	return each(row, int64(size))
}

// localSize is how much of a row stands on the leaf itself.
func (db *sqlite) localSize(size int) int {
	most := db.usable - 35
	if size <= most {
		return size
	}
	least := (db.usable-12)*32/255 - 23
	if k := least + (size-least)%(db.usable-4); k <= most {
		return k
	}
	return least
}

// payload reads a row through its chain of overflow pages.
type payload struct {
	db   *sqlite
	at   []byte // not yet read of the page at hand
	next uint32
	left int64
	buf  []byte
}

func (p *payload) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	if len(p.at) == 0 {
		if p.buf == nil {
			p.buf = make([]byte, p.db.pageSize)
		}
		if err := p.db.page(p.next, p.buf); err != nil {
			return 0, err
		}
		p.next, p.at = binary.BigEndian.Uint32(p.buf), p.buf[4:p.db.usable]
	}
	n := copy(b, p.at[:min(int64(len(p.at)), p.left)])
	p.at, p.left = p.at[n:], p.left-int64(n)
	return n, nil
}

// readColumns reads a record's header and returns the types of its first
// columns.
func readColumns(row *bufio.Reader, n int) ([]uint64, error) {
	read := func() (uint64, int, error) {
		b, err := row.Peek(9)
		if len(b) == 0 {
			return 0, 0, noEOF(err)
		}
		v, n := varint(b)
		_, err = row.Discard(n)
		return v, n, err
	}
	size, used, err := read()
	if err != nil {
		return nil, err
	}
	columns := make([]uint64, n)
	for i := range columns {
		c, m, err := read()
		if err != nil {
			return nil, err
		}
		columns[i], used = c, used+m
	}
	if size < uint64(used) || size > maxSchemaSize {
		return nil, errors.New("record has too few columns")
	}
	_, err = row.Discard(int(size) - used)
	return columns, err
}

// columnSize is how many bytes a value of a serial type takes.
func columnSize(serial uint64) int64 {
	if serial >= 12 {
		return int64(min((serial-12)/2, 1<<40))
	}
	return int64([12]uint8{0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0}[serial])
}

// varint reads a big-endian number of 1 to 9 bytes; a cut one is what there is.
func varint(b []byte) (v uint64, n int) {
	for n < len(b) && n < 8 {
		v = v<<7 | uint64(b[n]&0x7f)
		n++
		if b[n-1] < 0x80 {
			return v, n
		}
	}
	if n < len(b) {
		return v<<8 | uint64(b[n]), n + 1
	}
	return v, n
}
