package collect

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/redact"
	kind "assimilation/discovery/pam"
)

// Limits; a distribution has some 40 services of 10 lines.
const (
	maxServices = 512
	maxLines    = 128
)

// directories hold a file for each service; the first wins.
var directories = []string{"/etc/pam.d", "/usr/lib/pam.d"}

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: []string{"/etc/pam.d/", "/usr/lib/pam.d/"}, Body: body}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

func body(r *conffile.Reader) any {
	var names []string
	for _, dir := range directories {
		names = append(names, r.Dir(dir)...)
	}
	slices.Sort(names)
	var facts kind.Facts
	for _, name := range slices.Compact(names) {
		if len(facts.Services) == maxServices {
			r.Limit()
			break
		}
		for _, dir := range directories {
			if text, found := r.File(dir + "/" + name); found {
				s := parse(text)
				s.Name = conffile.Clean(name)
				facts.Services = append(facts.Services, s)
				break
			}
		}
	}
	if len(facts.Services) == 0 {
		return nil
	}
	return facts
}

// parse reads one file of pam.d(5): type, control, module, arguments.
func parse(text string) (s kind.Service) {
	for _, line := range conffile.Lines(conffile.Joined(text)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		which := strings.ToLower(words[0])
		rule := conffile.Clean(strings.Join(redact.Args(words[1:]), " "))
		if which == "@include" {
			rule = "include " + conffile.Clean(words[1])
		}
		optional := strings.HasPrefix(which, "-") // no word in the log if the module is missing
		if optional {
			which, rule = which[1:], "-"+rule
		}
		for _, stack := range []struct {
			name  string
			lines *[]string
		}{{"auth", &s.Auth}, {"account", &s.Account}, {"password", &s.Password}, {"session", &s.Session}} {
			if (which == stack.name || which == "@include") && len(*stack.lines) < maxLines {
				*stack.lines = append(*stack.lines, rule)
			}
		}
	}
	return s
}
