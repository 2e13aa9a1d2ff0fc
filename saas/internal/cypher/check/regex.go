package check

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
)

// Bounds of a regular expression.
const (
	maxRegex     = 256 // bytes
	maxRegexSize = 1000
	maxRegexDeep = 20
)

// TranslateRegex turns a regular expression in RE2's syntax, which a whole
// string must match, into one that Postgres understands. RE2 has no
// back-references, so what Postgres gets it matches in time linear in the
// string; size and depth are bounded, so that compiling it is cheap.
func TranslateRegex(text string) (string, error) {
	if len(text) > maxRegex {
		return "", fmt.Errorf("a regular expression has at most %d bytes, this one %d", maxRegex, len(text))
	}
	re, err := syntax.Parse(text, syntax.Perl&^syntax.UnicodeGroups)
	if err != nil {
		var bad *syntax.Error
		if errors.As(err, &bad) {
			return "", fmt.Errorf("this regular expression is not understood: %s in %.40q", bad.Code, bad.Expr)
		}
		return "", errors.New("this regular expression is not understood")
	}
	if size := regexSize(re, 0); size > maxRegexSize {
		return "", fmt.Errorf("this regular expression is too large when its repetitions are written out")
	}
	var b strings.Builder
	b.WriteString("***:^(?:")
	if err := writeRegex(&b, re); err != nil {
		return "", err
	}
	b.WriteString(")$")
	return b.String(), nil
}

// regexSize is the number of parts once repetitions are written out.
func regexSize(re *syntax.Regexp, depth int) int {
	if depth > maxRegexDeep {
		return maxRegexSize + 1
	}
	size := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		size += regexSize(sub, depth+1)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return min(size, maxRegexSize+1)
}

func writeRegex(b *strings.Builder, re *syntax.Regexp) error {
	switch re.Op {
	case syntax.OpEmptyMatch:
		b.WriteString("(?:)")
	case syntax.OpNoMatch:
		b.WriteString(`[^\u0000-\U0010FFFF]`)
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			writeLiteral(b, r, re.Flags&syntax.FoldCase != 0)
		}
	case syntax.OpCharClass:
		writeClass(b, re.Rune)
	case syntax.OpAnyChar:
		b.WriteString(`(?:.|\n)`)
	case syntax.OpAnyCharNotNL:
		b.WriteString(`[^\n]`)
	case syntax.OpBeginText, syntax.OpBeginLine:
		b.WriteString("^")
	case syntax.OpEndText, syntax.OpEndLine:
		b.WriteString("$")
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			if err := writeGroup(b, sub); err != nil {
				return err
			}
		}
	case syntax.OpAlternate:
		for i, sub := range re.Sub {
			if i > 0 {
				b.WriteByte('|')
			}
			if err := writeGroup(b, sub); err != nil {
				return err
			}
		}
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		if err := writeGroup(b, re.Sub[0]); err != nil {
			return err
		}
		return writeTimes(b, re)
	default:
		return errors.New("word boundaries are not part of the language's regular expressions")
	}
	return nil
}

func writeGroup(b *strings.Builder, re *syntax.Regexp) error {
	b.WriteString("(?:")
	err := writeRegex(b, re)
	b.WriteString(")")
	return err
}

// maxTimes is the largest repetition that Postgres takes.
const maxTimes = 255

// writeTimes writes how often. Whether it is greedy is of no interest where
// the whole string must match.
func writeTimes(b *strings.Builder, re *syntax.Regexp) error {
	switch re.Op {
	case syntax.OpStar:
		b.WriteByte('*')
	case syntax.OpPlus:
		b.WriteByte('+')
	case syntax.OpQuest:
		b.WriteByte('?')
	default:
		if re.Min > maxTimes || re.Max > maxTimes {
			return fmt.Errorf("a regular expression repeats at most %d times", maxTimes)
		}
		if re.Max < 0 {
			fmt.Fprintf(b, "{%d,}", re.Min)
		} else {
			fmt.Fprintf(b, "{%d,%d}", re.Min, re.Max)
		}
	}
	return nil
}

func writeLiteral(b *strings.Builder, r rune, fold bool) {
	if !fold {
		writeRune(b, r)
		return
	}
	lower, upper := strings.ToLower(string(r)), strings.ToUpper(string(r))
	b.WriteByte('[')
	for _, x := range lower + upper {
		writeRune(b, x)
	}
	b.WriteByte(']')
}

func writeRune(b *strings.Builder, r rune) { fmt.Fprintf(b, `\U%08X`, r) }

func writeClass(b *strings.Builder, ranges []rune) {
	// Postgres has no character NUL.
	if len(ranges) == 0 {
		b.WriteString(`[^\u0001-\U0010FFFF]`)
		return
	}
	b.WriteByte('[')
	for i := 0; i < len(ranges); i += 2 {
		writeRune(b, max(ranges[i], 1))
		b.WriteByte('-')
		writeRune(b, max(ranges[i+1], 1))
	}
	b.WriteByte(']')
}
