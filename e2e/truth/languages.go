package truth

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	languagepackages "assimilation/discovery/language-packages"
)

// separators are what PEP 503 takes for one "-" in the name of a Python package.
var separators = regexp.MustCompile(`[-_.]+`)

// managers are the classes of what each package manager installs.
var managers = map[string]Class{"pip": Pip, "npm": Npm, "gem": Gem, "go": Go}

func languageRecord(manager, name, version, place string) string {
	switch manager {
	case "pip":
		name = strings.ToLower(separators.ReplaceAllString(name, "-"))
	case "gem":
		place = "" // gem does not say
	}
	return strings.Join([]string{name, version, place}, " ")
}

// languages are asked for once: pip and npm take seconds.
var languages = sync.OnceValues(func() (Reading, error) {
	r := newReading()
	for manager, class := range managers {
		if _, err := exec.LookPath(manager); err != nil {
			r.Unasked[class] = manager + " is not installed"
		}
	}
	for _, list := range []func(Reading) error{listPip, listNpm, listGem} {
		if err := list(r); err != nil {
			return Reading{}, err
		}
	}
	return r, nil
})

func readLanguages(r Reading) error {
	all, err := languages()
	if err != nil {
		return err
	}
	maps.Copy(r.Must, all.Must)
	maps.Copy(r.Unasked, all.Unasked)
	return readGo(r)
}

// readGo asks of what the programs are built that listen, or have a connection.
func readGo(r Reading) error {
	for flags, into := range map[string]Records{"-Htlnp": r.Must, "-Htunap": r.May} {
		out, err := r.ask(Go, "ss", flags)
		if err != nil {
			return err
		}
		exes := Set{}
		for line := range strings.Lines(out) {
			for _, exe := range owners(line) {
				exes[exe] = true
			}
		}
		for exe := range exes {
			if _, err := os.Stat(exe); err == nil && r.Unasked[Go] == "" {
				r.readModules(into, exe)
			}
		}
	}
	return nil
}

// readModules reads lines such as "dep golang.org/x/sys v0.30.0 h1:..."; one that
// begins with "=>" stands for the line before.
func (r Reading) readModules(into Records, exe string) {
	command := exec.Command("go", "version", "-m", exe)
	command.Dir = "/"
	out, err := command.Output()
	if errors.Is(err, exec.ErrNotFound) {
		r.Unasked[Go] = "go is not installed"
	}
	if err != nil {
		return // no program of Go
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, exe+": go"):
			into.add(Go, languageRecord("go", "stdlib", strings.TrimPrefix(f[len(f)-1], "go"), exe))
		case len(f) >= 3 && (f[0] == "mod" || f[0] == "dep" || f[0] == "=>"):
			into.add(Go, languageRecord("go", f[1], f[2], exe))
		}
	}
}

func listPip(r Reading) error {
	for _, pattern := range []string{"/usr/lib/python*/*-packages", "/usr/local/lib/python*/*-packages"} {
		places, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, place := range places {
			if r.Unasked[Pip] != "" {
				break
			}
			var packages []struct{ Name, Version string }
			if err := outputJSON(&packages, "pip", "list", "--disable-pip-version-check", "--format", "json", "--path", place); err != nil {
				return err
			}
			for _, p := range packages {
				r.Must.add(Pip, languageRecord("pip", p.Name, p.Version, place))
			}
		}
	}
	return nil
}

func listNpm(r Reading) error {
	for _, prefix := range []string{"/usr", "/usr/local"} {
		if r.Unasked[Npm] != "" {
			break
		}
		var listing struct {
			Dependencies map[string]struct{ Version string }
		}
		if err := outputJSON(&listing, "npm", "ls", "-g", "--json", "--depth=0", "--prefix", prefix); err != nil {
			return err
		}
		for name, p := range listing.Dependencies {
			r.Must.add(Npm, languageRecord("npm", name, p.Version, prefix+"/lib/node_modules"))
		}
	}
	return nil
}

// listGem reads lines such as "json (default: 2.6.1, 2.5.0)".
func listGem(r Reading) error {
	out, err := r.ask(Gem, "gem", "list", "--local", "--all", "--quiet")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		name, versions, ok := strings.Cut(strings.TrimSpace(line), " (")
		for version := range strings.SplitSeq(strings.TrimSuffix(versions, ")"), ", ") {
			version = strings.TrimPrefix(version, "default: ")
			version, _, _ = strings.Cut(version, " ") // and a platform
			if ok {
				r.Must.add(Gem, languageRecord("gem", name, version, ""))
			}
		}
	}
	return nil
}

func serviceLanguages(assim, host string, r Records) error {
	facts, err := bodies[languagepackages.Facts](assim, host, languagepackages.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, p := range f.Packages {
			if class, ok := managers[p.Manager]; ok {
				r.add(class, languageRecord(p.Manager, p.Name, p.Version, p.Place))
			}
		}
	}
	return nil
}
