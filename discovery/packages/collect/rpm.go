package collect

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/rpmdb"
	kind "assimilation/discovery/packages"
)

// The databases of rpm's backends, the one in use first: rpm removes the old
// one when it converts.
const (
	rpmSQLite = "rpmdb.sqlite"
	rpmWAL    = rpmSQLite + "-wal"
	rpmNDB    = "Packages.db"
	rpmBDB    = "Packages"
)

// rpmTries is how often a database is read that was written meanwhile.
const rpmTries = 3

var errBusy = errors.New("it is being written")

// readRPM reads rpm's database in the first folder that has one.
func readRPM(root fs.FS, folders []string) ([]kind.Package, error) {
	for _, folder := range folders {
		for _, name := range []string{rpmSQLite, rpmNDB, rpmBDB} {
			db := rpmFiles{root: root, folder: folder, name: name}
			packages, err := db.read()
			if !errors.Is(err, fs.ErrNotExist) {
				return packages, err
			}
		}
	}
	return nil, fs.ErrNotExist
}

// rpmFiles is one database.
type rpmFiles struct {
	root         fs.FS
	folder, name string
}

// read reads the database until it was the same before and after: rpm's locks
// are not for guests.
func (db rpmFiles) read() ([]kind.Package, error) {
	before, err := db.stamp()
	if err != nil {
		return nil, err
	}
	for range rpmTries {
		var packages []kind.Package
		err := db.parse(func(p rpmdb.Package) {
			if p.Name != "" && p.Name != "gpg-pubkey" { // keys that rpm trusts, kept as packages
				packages = append(packages, rpmPackage(p))
			}
		})
		after, stampErr := db.stamp()
		if stampErr != nil {
			return nil, stampErr
		}
		if before == after {
			return packages, err
		}
		before = after
	}
	return nil, errBusy
}

type rpmStamp struct {
	size, walSize         int64
	modified, walModified time.Time
}

func (db rpmFiles) stamp() (rpmStamp, error) {
	info, err := fs.Stat(db.root, db.folder+"/"+db.name)
	if err != nil {
		return rpmStamp{}, err
	}
	stamp := rpmStamp{size: info.Size(), modified: info.ModTime()}
	if db.name == rpmSQLite {
		wal, err := fs.Stat(db.root, db.folder+"/"+rpmWAL)
		if err == nil && wal.Size() > 0 {
			stamp.walSize, stamp.walModified = wal.Size(), wal.ModTime()
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return rpmStamp{}, err
		}
	}
	return stamp, nil
}

func (db rpmFiles) parse(each func(rpmdb.Package)) error {
	file, size, err := openAt(db.root, db.folder+"/"+db.name)
	if err != nil {
		return err
	}
	defer file.Close()
	switch {
	case size == 0: // made, and nothing installed yet
		return nil
	case db.name == rpmNDB:
		return rpmdb.ReadNDB(file, size, each)
	case db.name == rpmBDB:
		return rpmdb.ReadBDB(file, size, each)
	}
	wal, walSize, err := openAt(db.root, db.folder+"/"+rpmWAL)
	if errors.Is(err, fs.ErrNotExist) {
		return rpmdb.ReadSQLite(file, size, nil, 0, each)
	}
	if err != nil {
		return err
	}
	defer wal.Close()
	return rpmdb.ReadSQLite(file, size, wal, walSize, each)
}

// fileAt is a file that can be read from anywhere.
type fileAt interface {
	io.ReaderAt
	io.Closer
}

func openAt(root fs.FS, name string) (fileAt, int64, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	at, ok := file.(fileAt)
	if !ok || !info.Mode().IsRegular() {
		file.Close()
		return nil, 0, fmt.Errorf("%s is no regular file", name)
	}
	return at, info.Size(), nil
}

// rpmPackage spells the version as rpm does: epoch:version-release.
func rpmPackage(p rpmdb.Package) kind.Package {
	version := p.Version + "-" + p.Release
	if p.Epoch != 0 {
		version = strconv.FormatUint(uint64(p.Epoch), 10) + ":" + version
	}
	return kind.Package{
		Name:    discovery.Clean(p.Name, maxField),
		Version: discovery.Clean(version, maxField),
		Arch:    discovery.Clean(p.Arch, maxField),
		License: discovery.Clean(p.License, maxLicence),
	}
}
