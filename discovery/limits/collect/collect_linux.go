package collect

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/limits"
)

const (
	mainFile  = "/etc/security/limits.conf"
	directory = "/etc/security/limits.d/"
	maxLimits = 2048
)

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: []string{mainFile, directory}, Body: body}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

func body(r *conffile.Reader) any {
	var facts kind.Facts
	found := false
	for _, name := range append([]string{mainFile}, r.Glob(directory+"*.conf")...) {
		text, is := r.File(name)
		found = found || is
		for _, line := range conffile.Lines(text) {
			line, _, _ = strings.Cut(line, "#")
			words := strings.Fields(conffile.Clean(line))
			if len(words) != 4 {
				continue
			}
			limit := kind.Limit{Domain: words[0], Type: words[1], Item: words[2], Value: words[3], Source: conffile.Clean(name)}
			i := slices.IndexFunc(facts.Limits, func(o kind.Limit) bool {
				return o.Domain == limit.Domain && o.Type == limit.Type && o.Item == limit.Item
			})
			switch {
			case i >= 0:
				facts.Limits[i] = limit
			case len(facts.Limits) == maxLimits:
				r.Limit()
			default:
				facts.Limits = append(facts.Limits, limit)
			}
		}
	}
	if !found {
		return nil
	}
	return facts
}
