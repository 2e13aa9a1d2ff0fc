package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Pos is where something stands in the text, in bytes from its beginning.
type Pos int

// Problem is why a question is refused.
type Problem struct {
	Line, Column int    // from 1; the column counts characters
	Text         string // what is wrong, and what to do about it
	Source       string // the line that it is about
}

// At makes the problem at a place of the source.
func At(source string, pos Pos, format string, args ...any) *Problem {
	at := min(max(int(pos), 0), len(source))
	start := strings.LastIndexByte(source[:at], '\n') + 1
	line, _, _ := strings.Cut(source[start:], "\n")
	return &Problem{
		Line: 1 + strings.Count(source[:start], "\n"), Column: 1 + utf8.RuneCountInString(source[start:at]),
		Text: fmt.Sprintf(format, args...), Source: strings.TrimRight(line, "\r"),
	}
}

func (p *Problem) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Text)
}

// shownWidth is how much of a long line is shown, in characters.
const shownWidth = 100

// Caret is the line with a caret under the place, for output of fixed width.
func (p *Problem) Caret() string {
	line, column := []rune(strings.ToValidUTF8(p.Source, "\uFFFD")), p.Column-1
	if column > shownWidth*3/4 { // the place stays in sight
		cut := min(column-shownWidth/2, len(line))
		line, column = append([]rune("…"), line[cut:]...), column-cut+1
	}
	if len(line) > shownWidth {
		line = append(line[:shownWidth:shownWidth], '…')
	}
	for i, r := range line {
		if r < ' ' || r == 0x7f {
			line[i] = ' '
		}
	}
	return string(line) + "\n" + strings.Repeat(" ", min(column, len(line))) + "^"
}

// Nearest returns the candidate that a misspelt name most likely means, or "".
func Nearest(name string, candidates []string) string {
	best, least := "", (len(name)+5)/3
	if len(name) < 2 {
		return ""
	}
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c), least); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is Levenshtein's, or limit if it is not below it.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 64 {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
