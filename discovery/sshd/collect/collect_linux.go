package collect

import (
	"io/fs"
	"os"
	"strings"

	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/sshd"
)

const (
	configDir  = "/etc/ssh/"
	configFile = configDir + "sshd_config"
)

// binaries are where the server may stand.
var binaries = []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"}

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{
		Kind:   kind.Kind,
		Places: []string{configDir, configDir + "sshd_config.d/", binaries[0]},
		Body: func(r *conffile.Reader) any {
			facts, ok := body(r, root)
			if !ok {
				return nil
			}
			return facts
		},
	}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

// body reads what the server would read at its start. There is none on a host
// without a configuration of a server.
func body(r *conffile.Reader, root fs.FS) (kind.Facts, bool) {
	text, found := r.File(configFile)
	if !found {
		return kind.Facts{}, false
	}
	p := parser{reader: r, included: new(int), global: &block{}}
	p.current = p.global
	p.file(configFile, text, 0)
	built := builtIn{}
	for _, name := range binaries {
		file, err := root.Open(strings.TrimPrefix(name, "/"))
		if err != nil {
			continue
		}
		built = scanBinary(file)
		file.Close()
		break
	}
	facts := kind.Facts{Version: built.version, Settings: p.effective(&built)}
	for _, m := range p.matches {
		facts.Matches = append(facts.Matches, kind.Match{Criteria: m.criteria, Settings: m.explicit(&built)})
	}
	facts.HostKeys = hostKeys(r, facts.Settings)
	return facts, true
}
