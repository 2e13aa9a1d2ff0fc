package collect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/packages"
)

// Limits of dpkg's status file. A large desktop has some 6,000 packages in
// 10 MB; the longest line, a list of dependencies, some 20 kB.
const (
	maxStatusFile = 256 << 20
	maxPackages   = 200_000
	maxField      = 256
)

// parseStatus reads dpkg's status file (deb822(5) stanzas) and calls each for
// every package whose state is "installed", whatever is wanted of it.
func parseStatus(r io.Reader, each func(kind.Package)) error {
	in := bufio.NewReaderSize(io.LimitReader(r, maxStatusFile), 64<<10)
	var p kind.Package
	var installed bool
	count := 0
	flush := func() error {
		if installed && p.Name != "" {
			if count++; count > maxPackages {
				return fmt.Errorf("more than %d packages", maxPackages)
			}
			each(p)
		}
		p, installed = kind.Package{}, false
		return nil
	}
	for {
		// A line longer than the buffer is a field of no interest here: only
		// its start is looked at.
		line, err := in.ReadSlice('\n')
		start := line
		for errors.Is(err, bufio.ErrBufferFull) {
			start = nil
			_, err = in.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		ended := err != nil
		if len(line) > 0 {
			if text := strings.TrimRight(string(firstField(start)), "\r\n"); text != "" {
				name, value, _ := strings.Cut(text, ":")
				value = discovery.Clean(strings.TrimSpace(value), maxField)
				switch name {
				case "Package":
					p.Name = value
				case "Version":
					p.Version = value
				case "Architecture":
					p.Arch = value
				case "Status": // want, error flag, state
					words := strings.Fields(value)
					installed = len(words) == 3 && words[2] == "installed"
				}
			} else if isBlank(start) {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if ended {
			return flush()
		}
	}
}

// firstField returns the line if it is one of the fields looked for: most
// lines are descriptions and file lists, not worth a copy.
func firstField(line []byte) []byte {
	if len(line) < 8 {
		return nil
	}
	switch string(line[:7]) {
	case "Package", "Version", "Archite", "Status:":
		return line
	}
	return nil
}

// isBlank reports whether a whole line was read and ends a stanza.
func isBlank(line []byte) bool {
	return line != nil && len(strings.TrimSpace(string(line))) == 0
}
