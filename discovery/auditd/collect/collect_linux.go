package collect

import (
	"io/fs"
	"os"
	"strings"

	kind "assimilation/discovery/auditd"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/setting"
)

const (
	configFile = "/etc/audit/auditd.conf"
	rulesFile  = "/etc/audit/audit.rules"
	rulesDir   = "/etc/audit/rules.d/"
	maxRules   = 4096
)

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: []string{configFile, rulesFile, rulesDir}, Body: body}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

func body(r *conffile.Reader) any {
	var facts kind.Facts
	text, found := r.File(configFile)
	for _, line := range conffile.Lines(text) {
		if name, value, ok := strings.Cut(line, "="); ok {
			facts.Settings = setting.Put(facts.Settings, strings.ToLower(conffile.Clean(strings.TrimSpace(name))), conffile.Clean(strings.TrimSpace(value)), "")
		}
	}
	setting.Sort(facts.Settings)
	// What augenrules(8) makes of the directory; without one, the file that is loaded.
	names := r.Glob(rulesDir + "*.rules")
	if len(names) == 0 {
		names = []string{rulesFile}
	}
	for _, name := range names {
		text, is := r.File(name)
		found = found || is
		for _, line := range conffile.Lines(text) {
			if len(facts.Rules) == maxRules {
				r.Limit()
				break
			}
			facts.Rules = append(facts.Rules, conffile.Clean(conffile.Blanks(line)))
		}
	}
	if !found {
		return nil
	}
	return facts
}
