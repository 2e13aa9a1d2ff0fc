package discovery

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// CheckCanonical reports why b is not what Canonical makes, or nil. It runs on
// every fact at the relay and the service, so it is one pass without
// allocation (but for keys that hold escapes), and safe on any input.
func CheckCanonical(b []byte) error {
	if len(b) > MaxBody {
		return tooLarge(len(b))
	}
	s := canonicalScanner{b: b}
	err := s.value(0)
	if err == nil && s.pos != len(b) {
		err = errors.New("more than one value")
	}
	if err != nil {
		return fmt.Errorf("not canonical JSON at byte %d: %w", s.pos, err)
	}
	return nil
}

var (
	errEnd      = errors.New("unexpected end")
	errValue    = errors.New("no value here, or white space")
	errNumber   = errors.New("number is not a plain integer of 64 bits")
	errString   = errors.New("string is not ended")
	errControl  = errors.New("control character in a string")
	errEscape   = errors.New("escape that is not minimal")
	errNUL      = errors.New("U+0000 in a string")
	errUTF8     = errors.New("string is not valid UTF-8")
	errKey      = errors.New("key expected")
	errKeyOrder = errors.New("keys are not in ascending order")
	errComma    = errors.New("comma or end of the list expected")
	errColon    = errors.New("colon expected")
)

type canonicalScanner struct {
	b   []byte
	pos int
}

// peek returns the byte at hand, 0 at the end: no canonical token starts so.
func (s *canonicalScanner) peek() byte {
	if s.pos < len(s.b) {
		return s.b[s.pos]
	}
	return 0
}

func (s *canonicalScanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.list(depth + 1)
	case c == '"':
		_, _, err := s.string()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	case s.pos == len(s.b):
		return errEnd
	}
	return errValue
}

func (s *canonicalScanner) word(w string) error {
	if rest := s.b[s.pos:]; len(rest) < len(w) || string(rest[:len(w)]) != w {
		return errValue
	}
	s.pos += len(w)
	return nil
}

func (s *canonicalScanner) number() error {
	limit := uint64(1<<63 - 1)
	negative := s.peek() == '-'
	if negative {
		limit++
		s.pos++
	}
	from := s.pos
	var n uint64
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		if s.pos-from == 19 { // an int64 has at most 19 digits
			return errNumber
		}
		n = n*10 + uint64(c-'0')
		s.pos++
	}
	digits := s.pos - from
	switch leading := digits > 0 && s.b[from] == '0'; {
	case digits == 0, n > limit, leading && (digits > 1 || negative):
		return errNumber
	}
	if c := s.peek(); c == '.' || c == 'e' || c == 'E' {
		return errNumber
	}
	return nil
}

// string passes over a string and returns its inner bytes as they stand, and
// whether they hold an escape.
func (s *canonicalScanner) string() (inner []byte, escaped bool, err error) {
	s.pos++
	from := s.pos
	ascii := true
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; {
		case c == '"':
			inner = s.b[from:s.pos]
			if !ascii && !utf8.Valid(inner) {
				return nil, false, errUTF8
			}
			s.pos++
			return inner, escaped, nil
		case c == '\\':
			escaped = true
			_, size, err := unescape(s.b[s.pos:])
			if err != nil {
				return nil, false, err
			}
			s.pos += size
		case c < ' ':
			return nil, false, errControl
		default:
			ascii = ascii && c < utf8.RuneSelf
			s.pos++
		}
	}
	return nil, false, errString
}

// unescape reads the escape at the start of b: its character and its length.
func unescape(b []byte) (c byte, size int, err error) {
	if len(b) < 2 {
		return 0, 0, errString
	}
	if i := bytes.IndexByte([]byte(`"\btnfr`), b[1]); i >= 0 {
		return shortEscapes[i], 2, nil
	}
	if b[1] != 'u' || len(b) < 6 || b[2] != '0' || b[3] != '0' || b[4] > '1' || b[4] < '0' {
		return 0, 0, errEscape
	}
	c = (b[4] - '0') << 4
	switch d := b[5]; {
	case d >= '0' && d <= '9':
		c |= d - '0'
	case d >= 'a' && d <= 'f':
		c |= d - 'a' + 10
	default:
		return 0, 0, errEscape
	}
	switch {
	case c == 0:
		return 0, 0, errNUL
	case bytes.IndexByte([]byte(shortEscapes), c) >= 0:
		return 0, 0, errEscape
	}
	return c, 6, nil
}

func (s *canonicalScanner) list(depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	s.pos++
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		if end, err := s.next(']'); end || err != nil {
			return err
		}
	}
}

func (s *canonicalScanner) object(depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	s.pos++
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	var last []byte // the previous key, unescaped
	for first := true; ; first = false {
		if s.peek() != '"' {
			return errKey
		}
		key, escaped, err := s.string()
		if err != nil {
			return err
		}
		if escaped {
			key = unescapeAll(key)
		}
		if !first && bytes.Compare(last, key) >= 0 {
			return errKeyOrder
		}
		last = key
		if s.peek() != ':' {
			return errColon
		}
		s.pos++
		if err := s.value(depth); err != nil {
			return err
		}
		if end, err := s.next('}'); end || err != nil {
			return err
		}
	}
}

// next passes over a comma or the closing byte.
func (s *canonicalScanner) next(closing byte) (end bool, err error) {
	switch s.peek() {
	case closing:
		s.pos++
		return true, nil
	case ',':
		s.pos++
		return false, nil
	}
	return false, errComma
}

// unescapeAll decodes the inner bytes of a string that was found canonical.
func unescapeAll(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		if b[0] != '\\' {
			out, b = append(out, b[0]), b[1:]
			continue
		}
		c, size, err := unescape(b)
		if err != nil {
			return out
		}
		out, b = append(out, c), b[size:]
	}
	return out
}
