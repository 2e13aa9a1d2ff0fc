package collect

import (
	"io/fs"
	"os"
	"strings"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/setting"
	kind "assimilation/discovery/nsswitch"
)

const file = "/etc/nsswitch.conf"

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: []string{file}, Body: body}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

func body(r *conffile.Reader) any {
	text, _ := r.File(file)
	var facts kind.Facts
	for _, line := range conffile.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if name, sources, ok := strings.Cut(line, ":"); ok {
			facts.Databases = setting.Put(facts.Databases, conffile.Clean(strings.TrimSpace(name)), conffile.Clean(conffile.Blanks(sources)), "")
		}
	}
	if len(facts.Databases) == 0 {
		return nil
	}
	setting.Sort(facts.Databases)
	return facts
}
