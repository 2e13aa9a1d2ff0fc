package collect

import (
	"bytes"
	"io"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/packages"
)

// parseStatus reads dpkg's status file (deb822(5) stanzas) and calls each for
// every package whose state is "installed", whatever is wanted of it.
func parseStatus(r io.Reader, each func(kind.Package)) error {
	hand := bounded(each)
	var p kind.Package
	var installed bool
	flush := func() error {
		done, whole := p, installed && p.Name != ""
		p, installed = kind.Package{}, false
		if !whole {
			return nil
		}
		return hand(done)
	}
	err := eachLine(r, func(line []byte) error {
		if len(bytes.TrimSpace(line)) == 0 {
			return flush()
		}
		if !isField(line) {
			return nil
		}
		name, value, _ := strings.Cut(string(line), ":")
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
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// isField reports whether the line is one of the fields looked for: most lines
// are descriptions and file lists, not worth a copy.
func isField(line []byte) bool {
	if len(line) < 8 {
		return false
	}
	switch string(line[:7]) {
	case "Package", "Version", "Archite", "Status:":
		return true
	}
	return false
}
