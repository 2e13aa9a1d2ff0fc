package discovery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"assimilation/discovery"
	"assimilation/discovery/network"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
)

func said(t *testing.T, kind discovery.Kind, old, new any) []string {
	t.Helper()
	s, err := discovery.Say(kind, body(t, old), body(t, new))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, d := range s.Told {
		texts = append(texts, d.Text)
	}
	return texts
}

type object = map[string]any

func list(items ...any) []any { return items }

// Kinds of script agents have neither a description nor words.
func TestAKindThatIsNotDescribedIsToldByItsPaths(t *testing.T) {
	for _, test := range []struct {
		name     string
		old, new object
		want     []string
	}{
		{"scalars", object{"age": 3, "done": true, "gone": "x"}, object{"age": 4, "done": false, "new": "y"},
			[]string{"age: 3 -> 4", "no longer done", "gone: x -> (none)", "new: (none) -> y"}},
		{"nested", object{"a": object{"b": object{"c": "1"}}}, object{"a": object{"b": object{"c": "2"}}}, []string{"a b c: 1 -> 2"}},
		{"by name", object{"disks": list(object{"name": "sda", "temp": 31}, object{"name": "sdb", "temp": 30})},
			object{"disks": list(object{"name": "sdb", "temp": 30, "bad": true}, object{"name": "sda", "temp": 44}, object{"name": "sdc", "temp": 20})},
			[]string{"disk sda: temp 31 -> 44", "disk sdb: now bad", "disk sdc added (temp 20)"}},
		{"by place", object{"jobs": list(object{"n": 1}, object{"n": 1})}, object{"jobs": list(object{"n": 1}, object{"n": 2})}, []string{"job #2: n 1 -> 2"}},
		{"names twice", object{"jobs": list(object{"name": "a", "n": 1}, object{"name": "a", "n": 2})},
			object{"jobs": list(object{"name": "a", "n": 1})}, []string{"job #2 removed"}},
		{"scalars in a list", object{"l": list("a", "b", "c")}, object{"l": list("b", "c", "d")}, []string{"l: added d; removed a"}},
		{"another order", object{"l": list("a", "b", "c")}, object{"l": list("c", "a", "b")}, []string{"l: now in the order c, a, b"}},
		{"another type", object{"a": list("x")}, object{"a": object{"b": "x"}}, []string{`a: x -> {"b":"x"}`}},
		{"items of items", object{"vgs": list(object{"id": "v", "lvs": list(object{"id": "l", "bytes": 1})})},
			object{"vgs": list(object{"id": "v", "lvs": list(object{"id": "l", "bytes": 2})})}, []string{"lv l of v: bytes 1 -> 2"}},
	} {
		if got := said(t, discovery.Kind{Name: "x-own"}, test.old, test.new); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestWithoutWordsAKnownKindIsToldByItsFields(t *testing.T) {
	link := func(mtu int64, up bool) network.Facts {
		return network.Facts{Links: []network.Link{{Name: "eth0", Type: "ether", MTU: mtu, AdminUp: up, OperState: "up"}}}
	}
	want := []string{"link eth0: no longer admin up, mtu 1500 -> 9000"}
	if got := said(t, network.Kind, link(1500, true), link(9000, false)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhatIsSaidIsBounded(t *testing.T) {
	facts := packages.Facts{Manager: "dpkg"}
	for i := range 5000 {
		facts.Packages = append(facts.Packages, packages.Package{Name: fmt.Sprintf("p%d", i), Version: strings.Repeat("9", 1000), Arch: "all"})
	}
	kind := packages.Kind
	kind.Words = packages.Words
	s, err := discovery.Say(kind, nil, body(t, facts))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Told) != discovery.MaxChanges || s.More != 4001 || len(s.Told[1].Text) > 520 || discovery.Sum(s.Counts) != "5000 packages" {
		t.Errorf("%d told, %d more, %d bytes, %q", len(s.Told), s.More, len(s.Told[1].Text), discovery.Sum(s.Counts))
	}
}

// What a host says cannot turn around what is said about it, nor command a terminal.
func TestWhatIsSaidIsOnlyShown(t *testing.T) {
	s, err := discovery.Say(discovery.Kind{Name: "x-own"}, body(t, object{"disk": "sda"}), body(t, object{"disk": "\u202e\x1b[2Jadb\u2066\u009b1m"}))
	if err != nil || len(s.Told) != 1 {
		t.Fatal(s, err)
	}
	if want := "disk: sda -> \uFFFD [2Jadb\uFFFD 1m"; s.Told[0].Text != want || strings.ContainsAny(s.Told[0].Full, "\u202e\u2066\x1b\u009b") {
		t.Errorf("%q, in full %q; want %q", s.Told[0].Text, s.Told[0].Full, want)
	}
}

// FuzzSay shows that any two canonical bodies are told apart, in lines of bounded
// length without control characters.
func FuzzSay(f *testing.F) {
	f.Add([]byte(`{"services":[{"exe":"/a","name":"a","listens":[{"ip":"::1","port":1}]}]}`), []byte(`{"services":[1]}`))
	f.Add([]byte(`{"a":[{"id":1},{"id":2}]}`), []byte(`{"a":[{"id":2,"b":"\n"},{"id":{}}]}`))
	f.Add([]byte(`{"a":{"b":true}}`), []byte(`{"a":[true,false]}`))
	kind := sockets.Kind
	kind.Words = sockets.Words
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, k := range []discovery.Kind{kind, {Name: "x-own"}} {
			s, err := discovery.Say(k, a, b)
			if err != nil {
				return
			}
			for _, d := range s.Told {
				if d.Text == "" || len(d.Text) > 520 || strings.ContainsFunc(d.Text+d.Full+s.Whole, unicode.IsControl) {
					t.Errorf("said %q", d.Text)
				}
			}
			if same, err := discovery.Say(k, a, a); err != nil || len(same.Told) != 0 {
				t.Errorf("%s differs from itself: %v %v", a, same, err)
			}
		}
	})
}
