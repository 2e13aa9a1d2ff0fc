package truth

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	languagepackages "assimilation/discovery/language-packages"
)

// separators are what PEP 503 takes for one "-" in the name of a Python package.
var separators = regexp.MustCompile(`[-_.]+`)

func languageRecord(manager, name, version, place string) string {
	if manager == "pip" {
		name = strings.ToLower(separators.ReplaceAllString(name, "-"))
	}
	return strings.Join([]string{manager, name, version, place}, " ")
}

// told reports whether a manager's own tool is there to be asked; gem's is not
// asked.
func told(manager string) bool {
	_, err := exec.LookPath(manager)
	return err == nil && manager != "gem"
}

// languages are asked for once: pip and npm take seconds.
var languages = sync.OnceValues(func() (Set, error) {
	r := Records{}
	err := listLanguages(r)
	return r[Languages], err
})

func readLanguages(r Reading) error {
	all, err := languages()
	r.Must[Languages] = all
	return err
}

func listLanguages(r Records) error {
	for _, pattern := range []string{"/usr/lib/python*/*-packages", "/usr/local/lib/python*/*-packages"} {
		places, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, place := range places {
			if !told("pip") {
				break
			}
			var packages []struct{ Name, Version string }
			if err := outputJSON(&packages, "pip", "list", "--disable-pip-version-check", "--format", "json", "--path", place); err != nil {
				return err
			}
			for _, p := range packages {
				r.add(Languages, languageRecord("pip", p.Name, p.Version, place))
			}
		}
	}
	for _, prefix := range []string{"/usr", "/usr/local"} {
		if !told("npm") {
			break
		}
		var listing struct {
			Dependencies map[string]struct{ Version string }
		}
		if err := outputJSON(&listing, "npm", "ls", "-g", "--json", "--depth=0", "--prefix", prefix); err != nil {
			return err
		}
		for name, p := range listing.Dependencies {
			r.add(Languages, languageRecord("npm", name, p.Version, prefix+"/lib/node_modules"))
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
			if told(p.Manager) {
				r.add(Languages, languageRecord(p.Manager, p.Name, p.Version, p.Place))
			}
		}
	}
	return nil
}
