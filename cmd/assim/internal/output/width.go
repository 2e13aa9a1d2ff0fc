package output

import (
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// narrowest is what a cut column keeps, in characters.
const narrowest = 12

// widthOf is how many characters a line of the terminal holds; 0 where w is
// none, and nothing is cut.
func widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// fit cuts the values of the widest columns until a line holds a row; two spaces
// stand between columns.
func fit(heads []string, rows [][]string, width int) {
	if width <= 0 {
		return
	}
	widths := make([]int, len(heads))
	total := 2 * (len(heads) - 1)
	for i, h := range heads {
		widths[i] = utf8.RuneCountInString(h)
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		total += widths[i]
	}
	for total > width {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrowest {
			return
		}
		widths[widest]--
		total--
		for _, row := range rows {
			row[widest] = cut(row[widest], widths[widest])
		}
	}
}

// cut shortens a text to n characters, the last of which says so.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:n-1]) + "…"
}
