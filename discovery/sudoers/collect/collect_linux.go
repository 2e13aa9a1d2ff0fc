package collect

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/sudoers"
)

const (
	mainFile   = "/etc/sudoers"
	maxFiles   = 512
	maxEntries = 4096
)

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{
		Kind: kind.Kind, Places: []string{mainFile, "/etc/sudoers.d/"}, Body: body,
	}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

func body(r *conffile.Reader) any {
	if r.Stat(mainFile) == nil {
		return nil
	}
	p := parser{reader: r, facts: kind.Facts{Rules: []kind.Rule{}}}
	p.file(mainFile)
	return p.facts
}

// parser reads sudoers(5).
type parser struct {
	reader *conffile.Reader
	facts  kind.Facts
	source string
	read   []string // names of files
}

// file reads a file, but only once: one may include itself, by way of others.
func (p *parser) file(name string) {
	if slices.Contains(p.read, name) {
		return
	}
	if len(p.read) == maxFiles {
		p.reader.Limit()
		return
	}
	p.read = append(p.read, name)
	text, found := p.reader.File(name)
	if !found {
		return
	}
	outer := p.source
	p.source = conffile.Clean(name)
	for line := range strings.Lines(conffile.Joined(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " ")
		switch word {
		case "#include", "@include", "#includedir", "@includedir":
			p.include(strings.TrimSuffix(word[1:], "dir") != word[1:], strings.Trim(strings.TrimSpace(rest), `"`), name)
			continue
		}
		line = strings.TrimSpace(withoutComment(line))
		switch {
		case line == "":
		case strings.HasSuffix(word, "_Alias"):
			p.aliases(word, rest)
		case strings.HasPrefix(word, "Defaults"):
			p.defaults(strings.TrimPrefix(word, "Defaults"), strings.TrimSpace(line[min(len(word), len(line)):]))
		default:
			p.rule(line)
		}
	}
	p.source = outer
}

// include reads a file, or those of a directory whose names have no point and no
// "~" at the end.
func (p *parser) include(isDir bool, name, from string) {
	if !path.IsAbs(name) {
		name = path.Join(path.Dir(from), name)
	}
	if !isDir {
		p.file(name)
		return
	}
	for _, entry := range p.reader.Dir(name) {
		if !strings.Contains(entry, ".") && !strings.HasSuffix(entry, "~") {
			p.file(path.Join(name, entry))
		}
	}
}

// full bounds each list.
func (p *parser) full(have int) bool {
	if have < maxEntries {
		return false
	}
	p.reader.Limit()
	return true
}
