package conffile

import (
	"strings"

	"assimilation/discovery"
)

// Lines returns the lines of a text without blanks around them, without empty ones
// and comments ("#" at the start). It is no iterator, as every loop over one would
// have its code.
func Lines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// Joined joins each line that ends in a backslash with the next.
func Joined(text string) string {
	if !strings.Contains(text, "\\\n") {
		return text
	}
	return strings.ReplaceAll(text, "\\\n", " ")
}

// Words splits a line at blanks. Within quotes of either sort blanks count as any
// other character; the quotes are taken away, and a quote may be escaped by a
// backslash. A word that begins with "#" ends the line.
func Words(line string) (words []string) {
	var word strings.Builder
	quote, in := byte(0), false
	for i := 0; i < len(line); i++ {
		c := line[i]
		blank := c == ' ' || c == '\t' || c == '\r'
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, in = c, true
		case c == '\\' && i+1 < len(line) && strings.IndexByte(`"'\`, line[i+1]) >= 0:
			i++
			word.WriteByte(line[i])
			in = true
		case quote == 0 && c == '#' && !in:
			return words
		case quote == 0 && blank:
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words
}

// Assignment is one line of a file in the manner of .ini, as systemd.syntax(7) and
// NetworkManager have them.
type Assignment struct {
	Section, Key, Value string
}

// Name is section and key, "Service.User".
func (a Assignment) Name() string { return a.Section + "." + a.Key }

// Sections returns the assignments of such a file. Comments begin with "#" or ";".
func Sections(text string) (all []Assignment) {
	section := ""
	for _, line := range Lines(Joined(text)) {
		switch key, value, ok := strings.Cut(line, "="); {
		case line[0] == ';':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case ok:
			all = append(all, Assignment{section, strings.TrimSpace(key), strings.TrimSpace(value)})
		}
	}
	return all
}

// Clean makes a text of a file fit for a fact.
func Clean(s string) string { return discovery.Clean(s, maxValue) }

// Blanks makes each run of blanks one space.
func Blanks(s string) string { return strings.Join(strings.Fields(s), " ") }
