package collect

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	kind "assimilation/discovery/packages"
)

// Limits of databases that are text. A large desktop has some 6,000 packages in
// 10 MB; the longest line, a list of dependencies, some 20 kB.
const (
	maxTextFile = 256 << 20
	maxPackages = 200_000
	maxField    = 256
	maxLicence  = 1024 // of packages that bundle many others
)

// eachLine calls line for every line of a text, without its end. A line longer
// than the buffer is a field of no interest here: it is passed over.
func eachLine(r io.Reader, line func([]byte) error) error {
	in := bufio.NewReaderSize(io.LimitReader(r, maxTextFile), 64<<10)
	for {
		text, err := in.ReadSlice('\n')
		whole := true
		for errors.Is(err, bufio.ErrBufferFull) {
			whole = false
			_, err = in.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for len(text) > 0 && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r') {
			text = text[:len(text)-1]
		}
		if whole && (err == nil || len(text) > 0) {
			if err := line(text); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// bounded hands packages on, up to maxPackages.
func bounded(each func(kind.Package)) func(kind.Package) error {
	count := 0
	return func(p kind.Package) error {
		if count++; count > maxPackages {
			return fmt.Errorf("more than %d packages", maxPackages)
		}
		each(p)
		return nil
	}
}
