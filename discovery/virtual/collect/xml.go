package collect

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a document.
const (
	maxNodes = 4096
	maxDepth = 32
)

var errXML = errors.New("not XML as libvirt writes it")

// node is an element with its attributes, its text and what is in it.
type node struct {
	name       string
	attributes map[string]string
	text       string
	children   []*node
}

// get follows names down to the first such element; an empty one if there is none.
func (n *node) get(names ...string) *node {
	for _, name := range names {
		var found *node
		for _, child := range n.children {
			if child.name == name {
				found = child
				break
			}
		}
		if found == nil {
			return &node{}
		}
		n = found
	}
	return n
}

func (n *node) number() int64 {
	v, err := strconv.ParseInt(strings.TrimSpace(n.text), 10, 64)
	if err != nil || v < 0 {
		return 0
	}
	return v
}

// parseXML reads the part of XML 1.0 in which libvirt writes: elements, attributes,
// text, entities, comments and processing instructions; no DTD, so that nothing
// expands. The package encoding/xml would cost the probe 130 kB.
func parseXML(text string) (*node, error) {
	root := &node{}
	open := []*node{root}
	for count := 0; text != ""; {
		content, rest, found := strings.Cut(text, "<")
		top := open[len(open)-1]
		if top.text += entities(content); !found {
			break
		}
		text = rest
		switch {
		case strings.HasPrefix(text, "!--"):
			_, text, found = strings.Cut(text, "-->")
		case strings.HasPrefix(text, "?"):
			_, text, found = strings.Cut(text, "?>")
		case strings.HasPrefix(text, "!"):
			return nil, errXML
		case strings.HasPrefix(text, "/"):
			var name string
			name, text, found = strings.Cut(text[1:], ">")
			if len(open) == 1 || strings.TrimSpace(name) != top.name {
				return nil, errXML
			}
			open = open[:len(open)-1]
		default:
			if count++; count > maxNodes || len(open) > maxDepth {
				return nil, errXML
			}
			child, after, closed, ok := tag(text)
			if !ok {
				return nil, errXML
			}
			text = after
			top.children = append(top.children, child)
			if !closed {
				open = append(open, child)
			}
		}
		if !found {
			return nil, errXML
		}
	}
	if len(open) != 1 || len(root.children) != 1 {
		return nil, errXML
	}
	return root.children[0], nil
}

const blanks = " \t\r\n"

// tag reads what follows "<" up to ">"; closed is that of "/>".
func tag(text string) (n *node, rest string, closed, ok bool) {
	end := strings.IndexAny(text, blanks+"/>")
	if end <= 0 {
		return nil, "", false, false
	}
	n = &node{name: text[:end], attributes: map[string]string{}}
	for text = strings.TrimLeft(text[end:], blanks); ; text = strings.TrimLeft(text, blanks) {
		if rest, closed = strings.CutPrefix(text, "/>"); closed {
			return n, rest, true, true
		}
		if rest, is := strings.CutPrefix(text, ">"); is {
			return n, rest, false, true
		}
		name, after, found := strings.Cut(text, "=")
		after = strings.TrimLeft(after, blanks)
		if !found || after == "" || after[0] != '"' && after[0] != '\'' || strings.ContainsAny(name, "<>\"'") {
			return nil, "", false, false
		}
		value, after, found := strings.Cut(after[1:], after[:1])
		if !found {
			return nil, "", false, false
		}
		n.attributes[strings.TrimSpace(name)] = entities(value)
		text = after
	}
}

// entities replaces the five that XML has, and those of characters.
func entities(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "&")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, found := strings.Cut(rest, ";")
		if !found || len(name) > 8 {
			out.WriteByte('&')
			text = rest
			continue
		}
		text = after
		switch name {
		case "lt":
			out.WriteByte('<')
		case "gt":
			out.WriteByte('>')
		case "amp":
			out.WriteByte('&')
		case "quot":
			out.WriteByte('"')
		case "apos":
			out.WriteByte('\'')
		default:
			out.WriteRune(character(name))
		}
	}
}

// character reads "#38" or "#x26".
func character(name string) rune {
	number, is := strings.CutPrefix(name, "#")
	base := 10
	if hex, isHex := strings.CutPrefix(number, "x"); isHex {
		number, base = hex, 16
	}
	r, err := strconv.ParseUint(number, base, 21)
	if !is || err != nil || !utf8.ValidRune(rune(r)) {
		return utf8.RuneError
	}
	return rune(r)
}
