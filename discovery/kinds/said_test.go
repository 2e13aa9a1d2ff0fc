package kinds_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/kinds"
)

var update = flag.Bool("update", false, "write what is said anew")

// Each file of testdata holds, for a kind, facts of its golden files ("fact FILE
// INSTANCE"), what is replaced in them ("- OLD", "+ NEW"), and what is then said:
// of the whole fact where there are words for that ("= "), and of the difference ("> ").
func TestWhatIsSaidOfADifference(t *testing.T) {
	for _, kind := range kinds.Worded() {
		if kind.Words == nil {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			path := filepath.Join("testdata", kind.Name+".txt")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
				got = append(got, say(t, kind, block))
			}
			said := strings.Join(got, "\n")
			if *update {
				if err := os.WriteFile(path, []byte(said), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if said != string(text) {
				t.Errorf("%s (written anew by -update):\n%s", path, said)
			}
		})
	}
}

// say returns a block with what is said of it.
func say(t *testing.T, kind discovery.Kind, block string) string {
	var out strings.Builder
	var before, after []byte
	var replaced string
	for line := range strings.Lines(block + "\n") {
		line = strings.TrimSuffix(line, "\n")
		switch mark, rest, _ := strings.Cut(line, " "); mark {
		case "=", ">":
			continue
		case "fact":
			before = golden(t, kind, rest)
			after = before
		case "-":
			replaced = rest
		case "+":
			if !bytes.Contains(after, []byte(replaced)) {
				t.Fatalf("nowhere in the fact: %s", replaced)
			}
			after = bytes.Replace(after, []byte(replaced), []byte(rest), 1)
		default:
			t.Fatalf("not understood: %s", line)
		}
		fmt.Fprintln(&out, line)
	}
	whole, err := discovery.Say(kind, nil, before)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Whole != "" {
		fmt.Fprintln(&out, "=", whole.Whole)
	} else if discovery.Sum(whole.Counts) == "" {
		t.Error("a first report says nothing")
	}
	said, err := discovery.Say(kind, before, after)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range said.Told {
		fmt.Fprintf(&out, "> %s: %s\n", d.Op, d.Text)
		if strings.ContainsAny(d.Text, "{}") || d.Text == "" || d.Full == "" {
			t.Errorf("%+v", d)
		}
	}
	if len(said.Told) == 0 {
		t.Errorf("nothing is said of\n%s", block)
	}
	return out.String()
}

// golden is one instance of a golden file.
func golden(t *testing.T, kind discovery.Kind, ref string) []byte {
	file, instance, _ := strings.Cut(ref, " ")
	text, err := os.ReadFile(filepath.Join("..", kind.Name, "testdata", file+".golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil {
		t.Fatal(err)
	}
	body, err := discovery.Canonical(all[instance])
	if err != nil {
		t.Fatal(err)
	}
	return body
}
