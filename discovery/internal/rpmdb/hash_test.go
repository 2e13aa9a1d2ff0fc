package rpmdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// makeNDB lays blobs out as rpm does, with a free slot after each.
func makeNDB(blobs [][]byte) []byte {
	pages := (len(blobs)*2+2)/256 + 1
	file := make([]byte, pages*ndbPageSize)
	le := binary.LittleEndian
	copy(file, ndbMagic)
	le.PutUint32(file[8:], 1)
	le.PutUint32(file[12:], uint32(pages))
	le.PutUint32(file[16:], uint32(len(blobs)+1))
	for at := ndbHeaderSize; at < len(file); at += ndbSlotSize {
		copy(file[at:], ndbSlotMagic)
	}
	for i, blob := range blobs {
		slot := file[ndbHeaderSize+2*i*ndbSlotSize:]
		blocks := (ndbBlobHeader + len(blob) + 12 + ndbBlockSize - 1) / ndbBlockSize
		le.PutUint32(slot[4:], uint32(i+1))
		le.PutUint32(slot[8:], uint32(len(file)/ndbBlockSize))
		le.PutUint32(slot[12:], uint32(blocks))
		room := make([]byte, blocks*ndbBlockSize)
		copy(room, ndbBlobMagic)
		le.PutUint32(room[4:], uint32(i+1))
		le.PutUint32(room[12:], uint32(len(blob)))
		copy(room[ndbBlobHeader:], blob)
		file = append(file, room...)
	}
	return file
}

func readerOf(read func(b []byte, each func(Package)) error) func(*testing.T, []byte) []Package {
	return func(t *testing.T, b []byte) []Package {
		t.Helper()
		var got []Package
		if err := read(b, func(p Package) { got = append(got, p) }); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
		return got
	}
}

func ndb(b []byte, each func(Package)) error {
	return ReadNDB(bytes.NewReader(b), int64(len(b)), each)
}

func berkeley(b []byte, each func(Package)) error {
	return ReadBDB(bytes.NewReader(b), int64(len(b)), each)
}

func TestNDB(t *testing.T) {
	for _, count := range []int{0, 1, 300} {
		want, blobs := samples(count)
		same(t, readerOf(ndb)(t, makeNDB(blobs)), want)
	}
}

func TestBrokenNDB(t *testing.T) {
	_, blobs := samples(3)
	whole := makeNDB(blobs)
	change := func(at int, b byte) []byte {
		c := bytes.Clone(whole)
		c[at] ^= b
		return c
	}
	for name, b := range map[string][]byte{
		"empty": nil, "cut": whole[:len(whole)-100_000], "magic": change(0, 1), "version": change(4, 1), "pages": change(14, 1),
		"slot magic": change(ndbHeaderSize, 1), "slot index": change(ndbHeaderSize+4, 8), "place": change(ndbHeaderSize+8, 1), "room": change(ndbHeaderSize+12, whole[ndbHeaderSize+12]),
	} {
		if err := ndb(b, func(Package) {}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// loadBDB lets db_load(1) make a table of package numbers and headers.
func loadBDB(t *testing.T, pageSize int, order string, blobs [][]byte) []byte {
	t.Helper()
	load, err := exec.LookPath("db5.3_load")
	if err != nil {
		t.Skip("needs db5.3_load (Debian: db5.3-util)")
	}
	var dump strings.Builder
	fmt.Fprintf(&dump, "VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=%d\ndb_lorder=%s\nHEADER=END\n", pageSize, order)
	record := func(key uint32, value []byte) {
		var k [4]byte
		if order == "1234" {
			binary.LittleEndian.PutUint32(k[:], key)
		} else {
			binary.BigEndian.PutUint32(k[:], key)
		}
		fmt.Fprintf(&dump, " %x\n %x\n", k[:], value)
	}
	record(0, []byte{9, 0, 0, 0})
	for i, blob := range blobs {
		record(uint32(i+1), blob)
	}
	dump.WriteString("DATA=END\n")
	file := filepath.Join(t.TempDir(), "Packages")
	cmd := exec.Command(load, file)
	cmd.Stdin = strings.NewReader(dump.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("db_load: %v: %s", err, out)
	}
	return readFile(t, file)
}

func TestBDB(t *testing.T) {
	for _, order := range []string{"1234", "4321"} {
		for _, pageSize := range []int{512, 4096} {
			want, blobs := samples(120)
			same(t, readerOf(berkeley)(t, loadBDB(t, pageSize, order, blobs)), want)
		}
	}
}

// fixture is a table made by loadBDB of the first six samples, so that what
// db_load writes is read on machines without it.
const fixture = "testdata/Packages.bdb"

func TestBDBFixture(t *testing.T) {
	var want []Package
	var blobs [][]byte
	for i, files := range []int{0, 100, 300, 1000, 3000, 10} {
		p, blob := sample(i, files)
		want, blobs = append(want, p), append(blobs, blob)
	}
	if os.Getenv("WRITE_FIXTURE") != "" {
		if err := os.WriteFile(fixture, loadBDB(t, 512, "1234", blobs), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	same(t, readerOf(berkeley)(t, readFile(t, fixture)), want)
}

func TestBrokenBDB(t *testing.T) {
	whole := readFile(t, fixture)
	change := func(at int, b byte) []byte {
		c := bytes.Clone(whole)
		c[at] ^= b
		return c
	}
	for name, b := range map[string][]byte{
		"empty": nil, "magic": change(12, 1), "page size": change(20, 3), "encrypted": change(24, 1), "cut": whole[:len(whole)-1024],
	} {
		if err := berkeley(b, func(Package) {}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzNDB(f *testing.F) {
	_, blobs := samples(2)
	f.Add(makeNDB(blobs))
	f.Fuzz(func(_ *testing.T, b []byte) { _ = ndb(b, func(Package) {}) })
}

func FuzzBDB(f *testing.F) {
	f.Add(readFile(f, fixture))
	f.Fuzz(func(_ *testing.T, b []byte) { _ = berkeley(b, func(Package) {}) })
}
