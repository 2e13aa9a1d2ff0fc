package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The format of SQLite's write-ahead log: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
const (
	walHeaderSize   = 32
	frameHeaderSize = 24
	walMagic        = 0x377f0682 // the last bit says that checksums are big endian
	maxWALSize      = 512 << 20  // rpm empties it after each transaction
)

// readWAL returns where the newest committed copy of each page stands, and how
// many pages the database has. Frames of an older round, and those after the
// last commit, do not count: their salts or their running checksums tell.
func readWAL(wal io.ReaderAt, size int64, pageSize int) (map[uint32]int64, uint32, error) {
	if size > maxWALSize {
		return nil, 0, fmt.Errorf("%d bytes", size)
	}
	var header [walHeaderSize]byte
	if size < walHeaderSize {
		return nil, 0, nil // its first frame is not yet written
	}
	if _, err := wal.ReadAt(header[:], 0); err != nil {
		return nil, 0, noEOF(err)
	}
	magic := binary.BigEndian.Uint32(header[:])
	if magic&^1 != walMagic {
		return nil, 0, errors.New("wrong magic")
	}
	if n := binary.BigEndian.Uint32(header[8:]); int64(n) != int64(pageSize) {
		return nil, 0, fmt.Errorf("page size of %d bytes", n)
	}
	sum := walSum{order: binary.LittleEndian}
	if magic&1 != 0 {
		sum.order = binary.BigEndian
	}
	sum.add(header[:24])
	if !sum.is(header[24:]) {
		return nil, 0, nil // a header half written: nothing is committed yet
	}
	committed, pending := map[uint32]int64{}, map[uint32]int64{}
	pages := uint32(0)
	frame := make([]byte, frameHeaderSize+pageSize)
	for at := int64(walHeaderSize); at+int64(len(frame)) <= size; at += int64(len(frame)) {
		if _, err := wal.ReadAt(frame, at); err != nil {
			return nil, 0, noEOF(err)
		}
		sum.add(frame[:8])
		sum.add(frame[frameHeaderSize:])
		if string(frame[8:16]) != string(header[16:24]) || !sum.is(frame[16:24]) {
			break
		}
		pending[binary.BigEndian.Uint32(frame)] = at + frameHeaderSize
		if after := binary.BigEndian.Uint32(frame[4:]); after != 0 { // a commit
			pages = after
			for page, at := range pending {
				committed[page] = at
			}
			clear(pending)
		}
	}
	return committed, pages, nil
}

// walSum is the running checksum of a log.
type walSum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (s *walSum) add(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		s.s0 += s.order.Uint32(b) + s.s1
		s.s1 += s.order.Uint32(b[4:]) + s.s0
	}
}

func (s *walSum) is(b []byte) bool {
	return binary.BigEndian.Uint32(b) == s.s0 && binary.BigEndian.Uint32(b[4:]) == s.s1
}
