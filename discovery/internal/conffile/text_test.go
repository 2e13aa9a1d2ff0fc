package conffile

import (
	"slices"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for line, want := range map[string]string{
		`a  b	c`: "a|b|c", `a "b c" d`: "a|b c|d", `'x "y' z # rest`: `x "y|z`, `a\"b c\\d`: `a"b|c\d`, `""`: "", `a#b`: "a#b", ``: "", `"open`: "open",
	} {
		if got := strings.Join(Words(line), "|"); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	got := Lines("# no\n\n a \r\n\t#no\nb # c")
	if !slices.Equal(got, []string{"a", "b # c"}) {
		t.Errorf("%q", got)
	}
	if got := Joined("a \\\n b\nc\\"); got != "a   b\nc\\" {
		t.Errorf("%q", got)
	}
}

func TestSections(t *testing.T) {
	got := Sections("loose=1\n[A]\n; no\n# no\nx = y = z\nbad\n[B]\nlong=a \\\n b\n")
	want := []Assignment{{"", "loose", "1"}, {"A", "x", "y = z"}, {"B", "long", "a   b"}}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("[a]\nb=\"c d\" \\\n e\n")
	f.Fuzz(func(_ *testing.T, text string) {
		_ = Sections(text)
		for _, line := range Lines(Joined(text)) {
			_ = Words(line)
		}
	})
}
