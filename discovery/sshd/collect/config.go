package collect

import (
	"path"
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
)

// Limits of a configuration; sshd has 16 levels of files too.
const (
	maxDepth      = 16
	maxIncludes   = 256 // one file may be included several times, by itself too
	maxMatches    = 256
	maxValues     = 256
	maxDirectives = 512 // of one block; sshd knows some 120
)

// directive is what one keyword was given.
type directive struct {
	name   string // lower case
	values []string
	source string
}

// block is what stands before the first Match, or under one.
type block struct {
	criteria   string
	directives []directive
}

// parser reads sshd_config(5). Of each keyword the first value holds.
type parser struct {
	reader   *conffile.Reader
	included *int
	global   *block
	matches  []*block
	current  *block
}

// repeatable keywords add to what earlier lines said; each line of the others is
// one value.
var repeatable = []string{"port", "listenaddress", "hostkey", "hostcertificate", "acceptenv", "allowusers", "denyusers", "allowgroups",
	"denygroups", "subsystem"}

// oneALine are the repeatable keywords whose arguments belong together.
var oneALine = []string{"subsystem"}

// renamed are keywords that have another name now.
var renamed = map[string]string{
	"challengeresponseauthentication": "kbdinteractiveauthentication", "skeyauthentication": "kbdinteractiveauthentication",
	"keepalive": "tcpkeepalive", "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
	"hostbasedacceptedkeytypes": "hostbasedacceptedalgorithms", "hostdsakey": "hostkey",
}

func (p *parser) file(name, text string, depth int) {
	for _, line := range conffile.Lines(text) {
		keyword, rest := splitKeyword(line)
		words := conffile.Words(rest)
		if len(words) == 0 {
			continue
		}
		switch keyword {
		case "include":
			p.include(words, depth)
		case "match":
			p.match(p.enclosing(depth), words)
		default:
			if to := renamed[keyword]; to != "" {
				keyword = to
			}
			p.current.add(keyword, words, name)
		}
	}
}

// splitKeyword parts a line at blanks, or at one "=".
func splitKeyword(line string) (keyword, rest string) {
	i := strings.IndexAny(line, " \t=")
	if i < 0 {
		return strings.ToLower(line), ""
	}
	rest = strings.TrimLeft(line[i:], " \t")
	rest = strings.TrimPrefix(rest, "=")
	return strings.ToLower(line[:i]), rest
}

// include reads files as if they stood here; a Match in one of them ends with it.
func (p *parser) include(patterns []string, depth int) {
	if depth == maxDepth {
		p.reader.Limit()
		return
	}
	outer := p.current
	for _, pattern := range patterns {
		if !strings.HasPrefix(pattern, "/") {
			pattern = path.Join(configDir, pattern)
		}
		for _, name := range p.reader.Glob(pattern) {
			if *p.included++; *p.included > maxIncludes {
				p.reader.Limit()
				return
			}
			if text, found := p.reader.File(name); found {
				inner := &parser{reader: p.reader, included: p.included, global: outer, matches: p.matches, current: outer}
				inner.file(name, text, depth+1)
				p.matches = inner.matches
			}
		}
	}
}

// enclosing is the criteria of the Match in which the file itself is included.
func (p *parser) enclosing(depth int) string {
	if depth == 0 {
		return ""
	}
	return p.global.criteria
}

// match begins a block. Blocks of the same criteria are one: of each keyword the
// first holds, wherever it stands.
func (p *parser) match(outer string, words []string) {
	criteria := conffile.Clean(strings.Join(words, " "))
	if strings.EqualFold(criteria, "all") {
		criteria = "all"
	}
	if outer != "" {
		criteria = outer + " " + criteria
	}
	i := slices.IndexFunc(p.matches, func(b *block) bool { return b.criteria == criteria })
	switch {
	case i >= 0:
		p.current = p.matches[i]
	case len(p.matches) == maxMatches:
		p.reader.Limit()
		p.current = &block{}
	default:
		p.current = &block{criteria: criteria}
		p.matches = append(p.matches, p.current)
	}
}

func (b *block) add(name string, words []string, source string) {
	for i, w := range words {
		words[i] = conffile.Clean(w)
	}
	adds := slices.Contains(repeatable, name)
	if !adds && name != "setenv" || slices.Contains(oneALine, name) {
		words = []string{strings.Join(words, " ")}
	}
	if i := b.find(name); i >= 0 {
		d := &b.directives[i]
		if adds && len(d.values) < maxValues {
			d.values = append(d.values, words...)
		}
		return
	}
	if len(b.directives) == maxDirectives {
		return
	}
	b.directives = append(b.directives, directive{name, words, source})
}

func (b *block) find(name string) int {
	return slices.IndexFunc(b.directives, func(d directive) bool { return d.name == name })
}
