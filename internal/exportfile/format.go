// Package exportfile is the form in which a tenant takes along what it has:
// a tar of files, compressed with zstd. docs/export.md describes it to those who
// read it without this package.
//
//	sites/000001.ndjson       one JSON object in each line
//	facts/000001.ndjson
//	facts/000002.ndjson       a long table has several files
//	manifest.json             last: what there is, with a SHA-256 of every file
//
// Writer and Verify hold one file in memory, whatever the whole has.
package exportfile

import "time"

// Format and Version are what a manifest says of itself. Version rises when a
// reader of the older one would be wrong.
const (
	Format  = "assimilation-tenant-export"
	Version = 1
)

// Limits, in bytes.
const (
	// fileSize is where Writer begins a new file.
	fileSize = 4 << 20
	// MaxLine bounds one line.
	MaxLine     = 32 << 20
	maxFile     = fileSize + MaxLine
	maxManifest = 64 << 20
	maxFiles    = 1 << 20
	maxName     = 200 // of a file: all names are held
)

const manifestName = "manifest.json"

// About says whose export it is, and of when.
type About struct {
	Tenant  string    `json:"tenant"` // its id
	Name    string    `json:"name"`
	TakenAt time.Time `json:"taken_at"` // all is of this moment
	By      string    `json:"by"`       // the program, with its version
}

// Manifest says what there is.
type Manifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	About
	Tables []Table `json:"tables"`
	Files  []File  `json:"files"`
}

// Table is a kind of things.
type Table struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	// SHA256 is of all lines of the table, over all its files.
	SHA256 string `json:"sha256"`
}

// File is a part of a table.
type File struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}
