// Package jsontext reads JSON (RFC 8259) where it stands: a value is its text, of
// which only what is asked for is looked at. It does for the collectors what
// decoding in encoding/json would, which costs the probe 70 kB more.
package jsontext

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds nested arrays and objects.
const maxDepth = 64

var errSyntax = errors.New("not JSON, or nested too deep")

// Value is the text of one value, without blanks around it; "" is none.
type Value string

// Parse checks a whole text.
func Parse(text string) (Value, error) {
	value, rest, ok := next(text, 0)
	if !ok || skipBlanks(rest) != "" {
		return "", errSyntax
	}
	return value, nil
}

// Member is a member of an object.
type Member struct {
	Name  string
	Value Value
}

// Members returns the members of an object, none of another value.
func (v Value) Members() (members []Member) {
	if !strings.HasPrefix(string(v), "{") {
		return nil
	}
	for rest := skipBlanks(string(v[1:])); rest != "" && rest[0] != '}'; rest = skipBlanks(rest) {
		name, after, _ := next(rest, 0)
		value, after, ok := next(strings.TrimPrefix(skipBlanks(after), ":"), 0)
		if !ok {
			break
		}
		members = append(members, Member{name.Text(), value})
		rest = strings.TrimPrefix(skipBlanks(after), ",")
	}
	return members
}

// Items returns the items of an array, none of another value.
func (v Value) Items() (items []Value) {
	if !strings.HasPrefix(string(v), "[") {
		return nil
	}
	for rest := skipBlanks(string(v[1:])); rest != "" && rest[0] != ']'; rest = skipBlanks(rest) {
		item, after, ok := next(rest, 0)
		if !ok {
			break
		}
		items = append(items, item)
		rest = strings.TrimPrefix(skipBlanks(after), ",")
	}
	return items
}

// Get returns the member of that name, of several the last, "" if there is none.
func (v Value) Get(name string) (found Value) {
	for _, m := range v.Members() {
		if m.Name == name {
			found = m.Value
		}
	}
	return found
}

// Int is an integer, 0 for what is none.
func (v Value) Int() int64 {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Text is what a string says, "" for what is none.
func (v Value) Text() string {
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	s := string(v[1 : len(v)-1])
	if strings.IndexByte(s, '\\') < 0 {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		if s[i] != 'u' {
			out = append(out, escaped(s[i]))
			continue
		}
		r := rune(unit(s[i+1:]))
		i += 4
		if utf16.IsSurrogate(r) {
			pair := rune(utf8.RuneError)
			if strings.HasPrefix(s[i+1:], `\u`) {
				pair = utf16.DecodeRune(r, rune(unit(s[i+3:])))
			}
			if r = pair; r != utf8.RuneError {
				i += 6
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}

// escaped is the character that stands behind a backslash.
func escaped(c byte) byte {
	if i := strings.IndexByte("bfnrt", c); i >= 0 {
		return "\b\f\n\r\t"[i]
	}
	return c
}

// unit reads four hexadecimal digits.
func unit(s string) uint64 {
	n, _ := strconv.ParseUint(s[:4], 16, 16)
	return n
}

// next splits the first value off a text.
func next(text string, depth int) (value Value, rest string, ok bool) {
	text = skipBlanks(text)
	if text == "" || depth > maxDepth {
		return "", "", false
	}
	switch text[0] {
	case '{':
		rest, ok = nested(text[1:], '}', depth, true)
	case '[':
		rest, ok = nested(text[1:], ']', depth, false)
	case '"':
		rest, ok = quoted(text[1:])
	case 't':
		rest, ok = strings.CutPrefix(text, "true")
	case 'f':
		rest, ok = strings.CutPrefix(text, "false")
	case 'n':
		rest, ok = strings.CutPrefix(text, "null")
	default:
		rest, ok = number(text)
	}
	if !ok {
		return "", "", false
	}
	return Value(text[:len(text)-len(rest)]), rest, true
}

// nested goes to the end of an array or object.
func nested(text string, end byte, depth int, named bool) (rest string, ok bool) {
	text = skipBlanks(text)
	if text != "" && text[0] == end {
		return text[1:], true
	}
	for {
		if named {
			if text = skipBlanks(text); text == "" || text[0] != '"' {
				return "", false
			}
			if text, ok = quoted(text[1:]); !ok {
				return "", false
			}
			if text, ok = strings.CutPrefix(skipBlanks(text), ":"); !ok {
				return "", false
			}
		}
		if _, text, ok = next(text, depth+1); !ok {
			return "", false
		}
		text = skipBlanks(text)
		switch {
		case text == "":
			return "", false
		case text[0] == end:
			return text[1:], true
		case text[0] != ',':
			return "", false
		}
		text = text[1:]
	}
}

// quoted goes to the end of a string.
func quoted(text string) (rest string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return text[i+1:], true
		case c < ' ':
			return "", false
		case c == '\\':
			i++
			if i == len(text) || strings.IndexByte(`"\/bfnrtu`, text[i]) < 0 {
				return "", false
			}
			if text[i] == 'u' {
				if i+4 >= len(text) || strings.Trim(text[i+1:i+5], "0123456789abcdefABCDEF") != "" {
					return "", false
				}
				i += 4
			}
		}
	}
	return "", false
}

// number goes to the end of a number.
func number(text string) (rest string, ok bool) {
	rest = strings.TrimPrefix(text, "-")
	if zero, is := strings.CutPrefix(rest, "0"); is {
		rest, ok = zero, true
	} else {
		rest, ok = digits(rest)
	}
	if fraction, has := strings.CutPrefix(rest, "."); ok && has {
		rest, ok = digits(fraction)
	}
	if ok && rest != "" && rest[0]|0x20 == 'e' {
		rest = rest[1:]
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		rest, ok = digits(rest)
	}
	return rest, ok
}

func digits(text string) (rest string, ok bool) {
	rest = strings.TrimLeft(text, "0123456789")
	return rest, len(rest) < len(text)
}

func skipBlanks(text string) string { return strings.TrimLeft(text, " \t\r\n") }
