package collect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/os"
)

// Limits of os-release files; real ones have some 500 bytes.
const (
	maxReleaseFile  = 64 << 10
	maxReleaseValue = 256
)

// release reads /etc/os-release, or where it is missing /usr/lib/os-release, as
// os-release(5) says. A system without either has the id "linux".
func release(root fs.FS) (kind.Release, error) {
	for _, path := range []string{"etc/os-release", "usr/lib/os-release"} {
		file, err := root.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return kind.Release{}, fmt.Errorf("reading os-release: %w", err)
		}
		defer file.Close()
		content, err := io.ReadAll(io.LimitReader(file, maxReleaseFile))
		if err != nil {
			return kind.Release{}, fmt.Errorf("reading os-release: %w", err)
		}
		return parseRelease(string(content)), nil
	}
	return kind.Release{ID: "linux"}, nil
}

// parseRelease understands any text; what is no assignment is passed over.
func parseRelease(content string) kind.Release {
	values := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(content))
	lines.Buffer(nil, maxReleaseFile+1)
	for lines.Scan() {
		name, value, found := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if found && !strings.HasPrefix(name, "#") {
			values[name] = discovery.Clean(unquote(value), maxReleaseValue)
		}
	}
	r := kind.Release{
		ID:           values["ID"],
		IDLike:       values["ID_LIKE"],
		Name:         values["NAME"],
		PrettyName:   values["PRETTY_NAME"],
		Version:      values["VERSION"],
		VersionID:    values["VERSION_ID"],
		Codename:     values["VERSION_CODENAME"],
		Variant:      values["VARIANT"],
		BuildID:      values["BUILD_ID"],
		ImageID:      values["IMAGE_ID"],
		ImageVersion: values["IMAGE_VERSION"],
	}
	if r.ID == "" {
		r.ID = "linux"
	}
	return r
}

// unquote undoes the shell's quoting of one word: '...' as it stands, within
// "..." a backslash before $ " \ and `, outside a backslash before anything.
func unquote(s string) string {
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == '\\' && i+1 < len(s) && (quote == 0 || quote == '"' && strings.IndexByte("$\"\\`", s[i+1]) >= 0):
			i++
			out.WriteByte(s[i])
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
