package cli

import (
	"fmt"
	"strings"
	"unicode"
)

// escaped writes what a terminal would obey by its number: a text is what a host
// says, or a receiver of notices. A body stays the JSON that it was.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
