package rpmdb

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // writes what is read here
)

// makeSQLite makes a database like rpm's and returns it open.
func makeSQLite(t testing.TB, file, pragmas string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	for _, statement := range []string{pragmas,
		`CREATE TABLE IF NOT EXISTS 'Name' (key TEXT NOT NULL, hnum INTEGER NOT NULL)`,
		`CREATE TABLE IF NOT EXISTS 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS 'Name_key_idx' ON 'Name'(key ASC)`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return db
}

func insert(t testing.TB, db *sql.DB, blobs [][]byte) {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		if _, err := tx.Exec(`INSERT INTO Packages (blob) VALUES (?)`, blob); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return b
}

func sqlitePackages(t *testing.T, file, wal []byte) []Package {
	t.Helper()
	return read(t, func(each func(Package)) error {
		return ReadSQLite(bytes.NewReader(file), int64(len(file)), bytes.NewReader(wal), int64(len(wal)), each)
	})
}

func TestSQLite(t *testing.T) {
	for _, pageSize := range []int{512, 4096, 65536} {
		for _, count := range []int{0, 1, 300} {
			t.Run(fmt.Sprintf("%d packages on pages of %d", count, pageSize), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "rpmdb.sqlite")
				db := makeSQLite(t, file, fmt.Sprintf("PRAGMA page_size = %d", pageSize))
				want, blobs := samples(count)
				insert(t, db, blobs)
				same(t, sqlitePackages(t, readFile(t, file), nil), want)
			})
		}
	}
}

// TestSQLiteRemovals leaves free pages and gaps behind.
func TestSQLiteRemovals(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rpmdb.sqlite")
	db := makeSQLite(t, file, "PRAGMA page_size = 1024")
	all, blobs := samples(200)
	insert(t, db, blobs)
	if _, err := db.Exec(`DELETE FROM Packages WHERE hnum % 3 <> 0`); err != nil {
		t.Fatal(err)
	}
	var want []Package
	for i, p := range all {
		if (i+1)%3 == 0 {
			want = append(want, p)
		}
	}
	same(t, sqlitePackages(t, readFile(t, file), nil), want)
}

// TestWriteAheadLog reads what was committed to the log only, and not what
// was not, nor what an older round left behind in it.
func TestWriteAheadLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rpmdb.sqlite")
	db := makeSQLite(t, file, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 10")
	want, blobs := samples(120)
	state := func() (file_, wal []byte) { return readFile(t, file), readFile(t, file+"-wal") }
	insert(t, db, blobs[:60])
	main, wal := state()
	if len(wal) == 0 {
		t.Fatal("no log was written")
	}
	same(t, sqlitePackages(t, main, wal), want[:60])
	for _, cut := range []int{1, 5000} { // the last commit is torn: none of its pages count
		if err := ReadSQLite(bytes.NewReader(main), int64(len(main)), bytes.NewReader(wal[:len(wal)-cut]), int64(len(wal)-cut), func(Package) {
			t.Error("a package of a torn commit")
		}); err != nil {
			t.Log(err) // the tables themselves may not be there
		}
	}

	if _, err := db.Exec("PRAGMA wal_checkpoint(FULL)"); err != nil {
		t.Fatal(err)
	}
	insert(t, db, blobs[60:62]) // starts the log anew, over the old frames
	main, wal = state()
	same(t, sqlitePackages(t, main, wal), want[:62])

	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs[62:] { // more than the cache holds, so pages are written before the commit
		if _, err := tx.Exec(`INSERT INTO Packages (blob) VALUES (?)`, blob); err != nil {
			t.Fatal(err)
		}
	}
	main, wal = state()
	same(t, sqlitePackages(t, main, wal), want[:62])
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	main, wal = state()
	same(t, sqlitePackages(t, main, wal), want)
}

func TestBrokenSQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rpmdb.sqlite")
	db := makeSQLite(t, file, "PRAGMA page_size = 512")
	_, blobs := samples(40)
	insert(t, db, blobs)
	whole := readFile(t, file)
	for name, b := range map[string][]byte{
		"empty":           nil,
		"another file":    bytes.Repeat([]byte("x"), 4096),
		"cut":             whole[:len(whole)/2],
		"no table":        whole[:512],
		"page size is 0":  append(append(bytes.Clone(whole[:16]), 0, 0), whole[18:]...),
		"no usable bytes": append(append(bytes.Clone(whole[:20]), 255), whole[21:]...),
	} {
		if err := ReadSQLite(bytes.NewReader(b), int64(len(b)), nil, 0, func(Package) {}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzSQLite(f *testing.F) {
	file := filepath.Join(f.TempDir(), "rpmdb.sqlite")
	db := makeSQLite(f, file, "PRAGMA page_size = 512; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0")
	_, blobs := samples(2)
	insert(f, db, blobs)
	wal := readFile(f, file+"-wal")
	f.Add(readFile(f, file), wal)
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		f.Fatal(err)
	}
	f.Add(readFile(f, file), []byte(nil))
	f.Fuzz(func(_ *testing.T, b, wal []byte) {
		_ = ReadSQLite(bytes.NewReader(b), int64(len(b)), bytes.NewReader(wal), int64(len(wal)), func(Package) {})
	})
}

func BenchmarkSQLite(b *testing.B) {
	file := filepath.Join(b.TempDir(), "rpmdb.sqlite")
	db := makeSQLite(b, file, "PRAGMA page_size = 4096")
	_, blobs := samples(1000)
	insert(b, db, blobs)
	opened, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size()), "file-bytes")
	for b.Loop() {
		if err := ReadSQLite(opened, info.Size(), nil, 0, func(Package) {}); err != nil {
			b.Fatal(err)
		}
	}
}
