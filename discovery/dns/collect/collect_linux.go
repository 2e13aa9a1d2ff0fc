package collect

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	kind "assimilation/discovery/dns"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/setting"
)

const (
	resolvConf = "/etc/resolv.conf"
	upstream   = "/run/systemd/resolve/resolv.conf"
	maxList    = 64
)

// settings are the files of those who manage resolv.conf; of several assignments the
// last holds.
var settings = []string{
	"/etc/systemd/resolved.conf", "/usr/lib/systemd/resolved.conf.d/*.conf", "/etc/systemd/resolved.conf.d/*.conf",
	"/etc/NetworkManager/NetworkManager.conf", "/etc/NetworkManager/conf.d/*.conf",
}

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: []string{
		resolvConf, upstream, "/etc/systemd/resolved.conf", "/etc/systemd/resolved.conf.d/",
		"/etc/NetworkManager/NetworkManager.conf", "/etc/NetworkManager/conf.d/",
	}, Body: body}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

func body(r *conffile.Reader) any {
	text, found := r.File(resolvConf)
	f := kind.Facts{Target: conffile.Clean(r.Link(resolvConf))}
	f.Servers, f.Search, f.Options = parse(text)
	text, _ = r.File(upstream)
	f.Upstream, _, _ = parse(text)
	for _, pattern := range settings {
		for _, name := range r.Glob(pattern) {
			text, is := r.File(name)
			found = found || is
			for _, a := range conffile.Sections(text) {
				if a.Section == "Resolve" || a.Name() == "main.dns" || a.Name() == "main.rc-manager" || a.Name() == "main.systemd-resolved" {
					f.Settings = setting.Put(f.Settings, conffile.Clean(a.Name()), conffile.Clean(a.Value), name)
				}
			}
		}
	}
	if !found {
		return nil
	}
	setting.Sort(f.Settings)
	return f
}

// parse reads resolv.conf(5). Of "search" and "domain" the last holds.
func parse(text string) (servers, search, options []string) {
	for _, line := range conffile.Lines(text) {
		words := strings.Fields(conffile.Clean(line))
		if len(words) < 2 || line[0] == ';' {
			continue
		}
		switch words[0] {
		case "nameserver":
			if len(servers) < maxList && !slices.Contains(servers, words[1]) {
				servers = append(servers, words[1])
			}
		case "search", "domain":
			search = words[1:min(len(words), maxList)]
		case "options":
			options = append(options, words[1:]...)
		}
	}
	return servers, search, options[:min(len(options), maxList)]
}
