package syntax

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind uint8

const (
	end kind = iota
	word
	quotedWord // `in backticks`: never a keyword
	integer
	float
	text
	parameter
	symbol
)

type token struct {
	kind kind
	pos  Pos
	text string // of a string: its value; of a parameter: its name
	glue bool   // nothing stands between this token and the next
}

// symbols, longest first. Dashes and arrows of patterns are put together by the
// parser, for "<-" may also compare with a negative number.
var symbols = []string{"<>", "<=", ">=", "=~", "..", "+=", "||", "(", ")", "[", "]", "{", "}", ",", ".", ":", ";", "=", "<", ">", "+", "-", "*", "/", "%", "^", "|", "$", "!", "&"}

// lex cuts the text into tokens; the last is of kind end.
func lex(source string) ([]token, *Problem) {
	if len(source) > MaxText {
		return nil, At(source, 0, "the question has %d bytes; at most %d are read", len(source), MaxText)
	}
	if !utf8.ValidString(source) {
		return nil, At(strings.ToValidUTF8(source, "?"), 0, "the question is not valid UTF-8")
	}
	var tokens []token
	for at := 0; ; {
		next, problem := skipSpace(source, at)
		if problem != nil {
			return nil, problem
		}
		if len(tokens) > 0 {
			tokens[len(tokens)-1].glue = next == at
		}
		if next == len(source) {
			return append(tokens, token{kind: end, pos: Pos(next)}), nil
		}
		t, after, problem := lexOne(source, next)
		if problem != nil {
			return nil, problem
		}
		tokens = append(tokens, t)
		at = after
	}
}

func skipSpace(source string, at int) (int, *Problem) {
	for at < len(source) {
		r, size := utf8.DecodeRuneInString(source[at:])
		switch {
		case unicode.IsSpace(r):
			at += size
		case strings.HasPrefix(source[at:], "//"):
			if i := strings.IndexByte(source[at:], '\n'); i >= 0 {
				at += i
			} else {
				at = len(source)
			}
		case strings.HasPrefix(source[at:], "/*"):
			i := strings.Index(source[at+2:], "*/")
			if i < 0 {
				return 0, At(source, Pos(at), "this comment has no end: */ is missing")
			}
			at += i + 4
		default:
			return at, nil
		}
	}
	return at, nil
}

func lexOne(source string, at int) (token, int, *Problem) {
	r, _ := utf8.DecodeRuneInString(source[at:])
	switch {
	case isLetter(r):
		after := wordEnd(source, at)
		return token{word, Pos(at), source[at:after], false}, after, nil
	case r >= '0' && r <= '9', r == '.' && at+1 < len(source) && isDigit(source[at+1]):
		return lexNumber(source, at)
	case r == '\'' || r == '"':
		return lexString(source, at)
	case r == '`':
		i := strings.IndexByte(source[at+1:], '`')
		if i < 1 {
			return token{}, 0, At(source, Pos(at), "a name in backticks must not be empty and must end with a backtick")
		}
		return token{quotedWord, Pos(at), source[at+1 : at+1+i], false}, at + i + 2, nil
	case r == '$':
		after := wordEnd(source, at+1)
		if after == at+1 {
			return token{}, 0, At(source, Pos(at), "the name of a parameter must follow the $, as in $name")
		}
		return token{parameter, Pos(at), source[at+1 : after], false}, after, nil
	}
	for _, s := range symbols {
		if strings.HasPrefix(source[at:], s) {
			return token{symbol, Pos(at), s, false}, at + len(s), nil
		}
	}
	return token{}, 0, At(source, Pos(at), "%q has no meaning here", r)
}

func isLetter(r rune) bool { return r == '_' || unicode.IsLetter(r) }
func isDigit(b byte) bool  { return b >= '0' && b <= '9' }

func wordEnd(source string, at int) int {
	for at < len(source) {
		r, size := utf8.DecodeRuneInString(source[at:])
		if !isLetter(r) && !unicode.IsDigit(r) {
			break
		}
		at += size
	}
	return at
}

func lexNumber(source string, start int) (token, int, *Problem) {
	at := start
	digits := func() {
		for at < len(source) && isDigit(source[at]) {
			at++
		}
	}
	k := integer
	if strings.HasPrefix(source[at:], "0x") || strings.HasPrefix(source[at:], "0o") {
		at = wordEnd(source, at)
		if _, err := strconv.ParseInt(source[start:at], 0, 64); err != nil {
			return token{}, 0, At(source, Pos(start), "%s is no whole number of 64 bits", source[start:at])
		}
		return token{integer, Pos(start), source[start:at], false}, at, nil
	}
	digits()
	// "1..3" are bounds, and "1.e" is a property of 1.
	if at+1 < len(source) && source[at] == '.' && isDigit(source[at+1]) {
		k = float
		at++
		digits()
	}
	if at < len(source) && (source[at] == 'e' || source[at] == 'E') {
		exponent := at + 1
		if exponent < len(source) && (source[exponent] == '-' || source[exponent] == '+') {
			exponent++
		}
		if exponent < len(source) && isDigit(source[exponent]) {
			k = float
			at = exponent
			digits()
		}
	}
	if after := wordEnd(source, at); after != at {
		return token{}, 0, At(source, Pos(start), "%.40q is neither number nor name: a name begins with a letter", source[start:after])
	}
	return token{k, Pos(start), source[start:at], false}, at, nil
}

func lexString(source string, start int) (token, int, *Problem) {
	quote := source[start]
	var b strings.Builder
	for at := start + 1; at < len(source); {
		switch c := source[at]; c {
		case quote:
			return token{text, Pos(start), b.String(), false}, at + 1, nil
		case 0:
			return token{}, 0, At(source, Pos(at), "a string cannot hold the character NUL")
		case '\\':
			r, size, ok := unescape(source[at:])
			if !ok {
				return token{}, 0, At(source, Pos(at), `there is no such escape; known are \\ \' \" \b \f \n \r \t \uXXXX`)
			}
			if r == 0 {
				return token{}, 0, At(source, Pos(at), "a string cannot hold the character NUL")
			}
			b.WriteRune(r)
			at += size
		default:
			b.WriteByte(c)
			at++
		}
	}
	return token{}, 0, At(source, Pos(start), "this string has no end: %c is missing", quote)
}

// unescape reads the escape that s begins with.
func unescape(s string) (r rune, size int, ok bool) {
	if len(s) < 2 {
		return 0, 0, false
	}
	if i := strings.IndexByte(`\'"bfnrt`+"`", s[1]); i >= 0 {
		return rune("\\'\"\b\f\n\r\t`"[i]), 2, true
	}
	digits := map[byte]int{'u': 4, 'U': 8}[s[1]]
	if digits == 0 || len(s) < 2+digits {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(s[2:2+digits], 16, 32)
	if err != nil || !utf8.ValidRune(rune(n)) {
		return 0, 0, false
	}
	return rune(n), 2 + digits, true
}
