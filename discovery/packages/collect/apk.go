package collect

import (
	"io"

	"assimilation/discovery"
	kind "assimilation/discovery/packages"
)

// parseInstalled reads apk's database of installed packages: stanzas of lines
// with a letter, a colon and a value (apk's doc/apk-package.5: P name, V
// version, A architecture, L licence), ended by a blank line.
func parseInstalled(r io.Reader, each func(kind.Package)) error {
	hand := bounded(each)
	var p kind.Package
	flush := func() error {
		done := p
		p = kind.Package{}
		if done.Name == "" {
			return nil
		}
		return hand(done)
	}
	err := eachLine(r, func(line []byte) error {
		if len(line) == 0 {
			return flush()
		}
		if len(line) < 3 || line[1] != ':' {
			return nil
		}
		switch line[0] {
		case 'P':
			p.Name = discovery.Clean(string(line[2:]), maxField)
		case 'V':
			p.Version = discovery.Clean(string(line[2:]), maxField)
		case 'A':
			p.Arch = discovery.Clean(string(line[2:]), maxField)
		case 'L':
			p.License = discovery.Clean(string(line[2:]), maxLicence)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}
