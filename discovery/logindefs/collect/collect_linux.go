package collect

import (
	"io/fs"
	"os"
	"strings"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/setting"
	kind "assimilation/discovery/logindefs"
)

// files are where it stands: SUSE has the vendor's under /usr, to which the other
// gives other values.
var files = []string{"/usr/etc/login.defs", "/etc/login.defs"}

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: files, Body: body}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

func body(r *conffile.Reader) any {
	var facts kind.Facts
	for _, name := range files {
		text, _ := r.File(name)
		for _, line := range conffile.Lines(text) {
			words := conffile.Words(line)
			if len(words) >= 2 {
				value := strings.Join(words[1:], " ")
				facts.Settings = setting.Put(facts.Settings, conffile.Clean(words[0]), conffile.Clean(value), "")
			}
		}
	}
	if len(facts.Settings) == 0 {
		return nil
	}
	setting.Sort(facts.Settings)
	return facts
}
