package output

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestNoFormatCommandsTheTerminal prints what a hostile host could report.
func TestNoFormatCommandsTheTerminal(t *testing.T) {
	hostile := "a\x1b]0;owned\a\u009b2J\x7f\u202eb\r\n\u0085c"
	item, err := json.Marshal(map[string]any{"name": hostile, "inner": map[string]string{hostile: hostile}, "list": []string{hostile}})
	if err != nil {
		t.Fatal(err)
	}
	fields := []string{"name", "inner", "list"}
	for _, format := range []Format{Table, JSON, YAML, CSV} {
		var out strings.Builder
		if err := List(&out, format, fields, []json.RawMessage{item}); err != nil {
			t.Fatal(err)
		}
		if err := One(&out, format, fields, item); err != nil {
			t.Fatal(err)
		}
		if err := NewLines(&out, format, fields).Print(item); err != nil {
			t.Fatal(err)
		}
		for i, r := range out.String() {
			if r != '\n' && unicode.IsControl(r) || r == utf8.RuneError || format != YAML && r == '\u202e' {
				t.Errorf("%s prints %U at %d of %q", format, r, i, out.String())
				break
			}
		}
		if format == JSON {
			var back struct{ Name string }
			if err := json.NewDecoder(strings.NewReader(out.String()[strings.Index(out.String(), "]\n")+2:])).Decode(&back); err != nil || back.Name != hostile {
				t.Errorf("JSON says %q, %v; want %q", back.Name, err, hostile)
			}
		}
	}
}

func TestCSVHoldsNoFormulas(t *testing.T) {
	var out strings.Builder
	err := List(&out, CSV, []string{"name", "n"}, []json.RawMessage{[]byte(`{"name":"=1+1","n":-1}`), []byte(`{"name":"@x","n":2}`), []byte(`{"name":"plain","n":3}`)})
	if want := "name,n\n'=1+1,-1\n'@x,2\nplain,3\n"; err != nil || out.String() != want {
		t.Errorf("%q, %v; want %q", out.String(), err, want)
	}
}
