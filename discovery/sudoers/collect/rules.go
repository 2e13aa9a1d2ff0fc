package collect

import (
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/redact"
	kind "assimilation/discovery/sudoers"
)

// withoutComment cuts at "#", unless digits follow: that is the number of a user or
// group.
func withoutComment(line string) string {
	quoted := false
	for i := range len(line) {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case c == '#' && !quoted && (i == 0 || line[i-1] != '\\'):
			if i+1 < len(line) && (line[i+1] >= '0' && line[i+1] <= '9' || line[i+1] == '-') {
				continue
			}
			return line[:i]
		}
	}
	return line
}

// split parts a text at a byte that is neither escaped, quoted nor in brackets.
func split(s string, at byte) (parts []string) {
	from, depth, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == at && depth == 0:
			parts = append(parts, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	return append(parts, strings.TrimSpace(s[min(from, len(s)):]))
}

// list makes "a , b" one word.
func list(s string) string { return conffile.Clean(strings.Join(split(s, ','), ",")) }

// aliases reads "Cmnd_Alias A = x, y : B = z".
func (p *parser) aliases(kindName, rest string) {
	for _, one := range split(rest, ':') {
		name, members, ok := strings.Cut(one, "=")
		name = conffile.Clean(strings.TrimSpace(name))
		if !ok || p.full(len(p.facts.Aliases)) || slices.ContainsFunc(p.facts.Aliases, func(a kind.Alias) bool { return a.Kind == kindName && a.Name == name }) {
			continue
		}
		a := kind.Alias{Kind: conffile.Clean(kindName), Name: name, Source: p.source}
		for _, m := range split(members, ',') {
			a.Members = append(a.Members, conffile.Clean(m))
		}
		p.facts.Aliases = append(p.facts.Aliases, a)
	}
}

// defaults reads what follows "Defaults": a scope, then settings.
func (p *parser) defaults(scope, rest string) {
	scope = conffile.Clean(scope)
	for _, setting := range split(rest, ',') {
		d := kind.Default{Scope: scope, Setting: conffile.Clean(conffile.Blanks(setting)), Source: p.source}
		if d.Setting == "" || p.full(len(p.facts.Defaults)) ||
			slices.ContainsFunc(p.facts.Defaults, func(o kind.Default) bool { return o.Scope == d.Scope && o.Setting == d.Setting }) {
			continue
		}
		p.facts.Defaults = append(p.facts.Defaults, d)
	}
}

// rule reads "who hosts = (as) TAG: command, command : hosts = command".
func (p *parser) rule(line string) {
	left, right, ok := cut(line, '=')
	if !ok {
		return
	}
	who, hosts := lastWord(left)
	for ok {
		specs, next := right, ""
		next, specs, ok = nextHosts(right)
		p.commands(list(who), list(hosts), specs)
		if ok {
			hosts, right, ok = cut(next, '=')
		}
	}
}

// cut is strings.Cut at a byte that is not escaped or quoted.
func cut(s string, at byte) (before, after string, ok bool) {
	parts := split(s, at)
	if len(parts) < 2 {
		return s, "", false
	}
	return parts[0], strings.TrimSpace(s[strings.Index(s, parts[0])+len(parts[0]):])[1:], true
}

// lastWord parts "who hosts", either of which may be a list with blanks after its
// commas, or have escaped blanks.
func lastWord(s string) (before, last string) {
	for i := len(s) - 1; i > 0; i-- {
		if s[i] != ' ' && s[i] != '\t' || s[i-1] == '\\' {
			continue
		}
		left, right := strings.TrimSpace(s[:i]), strings.TrimSpace(s[i:])
		if left != "" && right != "" && !strings.HasSuffix(left, ",") && right[0] != ',' {
			return left, right
		}
	}
	return s, "ALL"
}

// runAs makes "ada , bob : wheel" one word: users, and after a colon groups.
func runAs(s string) string {
	parts := split(s, ':')
	for i := range parts {
		parts[i] = list(parts[i])
	}
	return strings.Join(parts, ":")
}

// nextHosts parts the commands from a further "hosts = ...": there a colon stands
// that ends no tag.
func nextHosts(s string) (next, specs string, ok bool) {
	parts := split(s, ':')
	for i := 0; i+1 < len(parts); i++ {
		word := parts[i][strings.LastIndexAny(parts[i], " ,)\t")+1:]
		if isTag(word) {
			continue
		}
		return strings.Join(parts[i+1:], ":"), strings.Join(parts[:i+1], ":"), true
	}
	return "", s, false
}

// isTag accepts "NOPASSWD", "LOG_OUTPUT".
func isTag(s string) bool {
	return len(s) >= 4 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// commands adds a rule for each command. As whom and with which tags holds for those
// that follow, too.
func (p *parser) commands(who, hosts, specs string) {
	as, tags := "", []string{}
	for _, spec := range split(specs, ',') {
		for {
			if strings.HasPrefix(spec, "(") {
				if end := strings.IndexByte(spec, ')'); end > 0 {
					as, spec = runAs(spec[1:end]), strings.TrimSpace(spec[end+1:])
					continue
				}
			}
			word, rest, ok := strings.Cut(spec, ":")
			if tag := strings.TrimSpace(word); ok && isTag(tag) {
				tags, spec = with(tags, tag), strings.TrimSpace(rest)
				continue
			}
			word, rest, ok = strings.Cut(spec, " ")
			if name, _, isOption := strings.Cut(word, "="); ok && isOption && isTag(name) || isOption && name == "CWD" {
				tags, spec = with(tags, word), strings.TrimSpace(rest)
				continue
			}
			break
		}
		rule := kind.Rule{
			Who: who, Hosts: hosts, RunAs: as, Tags: conffile.Clean(strings.Join(tags, " ")), Source: p.source,
			Command: conffile.Clean(strings.Join(redact.Args(strings.Fields(spec)), " ")),
		}
		if spec == "" || p.full(len(p.facts.Rules)) ||
			slices.ContainsFunc(p.facts.Rules, func(o kind.Rule) bool { o.Source = rule.Source; return o == rule }) {
			continue
		}
		p.facts.Rules = append(p.facts.Rules, rule)
	}
}

// with adds a tag, which takes back its opposite.
func with(tags []string, tag string) []string {
	opposite := strings.TrimPrefix(tag, "NO")
	if opposite == tag {
		opposite = "NO" + tag
	}
	var out []string
	for _, t := range tags {
		if t != tag && t != opposite {
			out = append(out, t)
		}
	}
	return append(out, tag)
}
