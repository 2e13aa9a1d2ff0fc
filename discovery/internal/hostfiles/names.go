package hostfiles

import (
	"errors"
	"io"
	"io/fs"
	"slices"
)

// Names returns the names in a directory, sorted; more says that there are others than
// those: most bounds what is read. Whoever may write to a directory can put millions of
// files into it, which fs.ReadDir would hold all at once.
func Names(root fs.FS, dir string, most int) (names []string, more bool, err error) {
	file, err := root.Open(dir)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	list, ok := file.(fs.ReadDirFile)
	if !ok {
		return nil, false, &fs.PathError{Op: "readdir", Path: dir, Err: errors.New("not a directory")}
	}
	for err == nil {
		var entries []fs.DirEntry
		entries, err = list.ReadDir(min(256, most+1-len(names)))
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if len(names) > most {
			names, more = names[:most], true
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.Sort(names)
	return names, more, err
}
