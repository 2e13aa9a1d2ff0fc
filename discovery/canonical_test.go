package discovery_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"assimilation/discovery"
)

func TestCanonical(t *testing.T) {
	type inner struct {
		Z string `json:"z"`
		A int64  `json:"a,omitempty"`
	}
	circle := new(any)
	*circle = circle
	tests := []struct {
		name string
		in   any
		want string // "" for refused
	}{
		{"fields in order of their names", inner{"x", 1}, `{"a":1,"z":"x"}`},
		{"empty fields left out", inner{}, `{"z":""}`},
		{"nil slice", []string(nil), `[]`},
		{"nil map", map[string]int(nil), `{}`},
		{"nil pointer", (*inner)(nil), `null`},
		{"map in order of bytes", map[string]any{"é": 1, "b": true, "a": nil, "": "e"}, `{"":"e","a":null,"b":true,"é":1}`},
		{"integers", []any{int8(-1), uint16(2), int64(math.MinInt64), uint64(math.MaxInt64)}, `[-1,2,-9223372036854775808,9223372036854775807]`},
		{"escapes", "a\"\\\b\t\n\f\r\x01\x1f\x7f/<é", `"a\"\\\b\t\n\f\r\u0001\u001f` + "\x7f" + `/<é"`},
		{"json numbers", json.Number("-12"), `-12`},
		{"float", 1.5, ""},
		{"fraction", json.Number("1.0"), ""},
		{"exponent", json.Number("1e3"), ""},
		{"minus zero", json.Number("-0"), ""},
		{"beyond 64 bits", uint64(math.MaxInt64 + 1), ""},
		{"NUL", "a\x00", ""},
		{"invalid UTF-8", "a\xff", ""},
		{"channel", make(chan int), ""},
		{"map with integer keys", map[int]int{1: 1}, ""},
		{"field without a name", struct{ A int }{1}, ""},
		{"circle", circle, ""},
		{"too deep", nested(discovery.MaxDepth + 1), ""},
		{"too large", strings.Repeat("x", discovery.MaxBody), ""},
	}
	for _, test := range tests {
		got, err := discovery.Canonical(test.in)
		if test.want == "" {
			if err == nil {
				t.Errorf("%s: encoded as %.80s, want an error", test.name, got)
			}
			continue
		}
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
		if err := discovery.CheckCanonical(got); err != nil {
			t.Errorf("%s: own encoding refused: %v", test.name, err)
		}
	}
	if _, err := discovery.Canonical(nested(discovery.MaxDepth)); err != nil {
		t.Errorf("depth %d refused: %v", discovery.MaxDepth, err)
	}
}

func nested(depth int) any {
	var v any = 1
	for range depth {
		v = []any{v}
	}
	return v
}

func TestCheckCanonicalRefuses(t *testing.T) {
	for _, body := range []string{
		``, ` `, `{} `, ` {}`, `{"a": 1}`, `{"b":1,"a":1}`, `{"a":1,"a":2}`, `{"a":1,}`, `[1,]`, `[1 ,2]`, `{a:1}`,
		`01`, `-0`, `-`, `1.0`, `1e3`, `1E3`, `9223372036854775808`, `-9223372036854775809`, `+1`, `99999999999999999999`,
		`"\/"`, `"\u000A"`, `"\u000a"`, `"\u0041"`, `"\u0000"`, `"\u00"`, `"\x"`, `"` + "\x00" + `"`, `"` + "\n" + `"`, "\"\xff\"", `"`, `"\`,
		`{"\u0001b":1,"\u0001a":1}`, `tru`, `nulll`, `{"a"}`, `{"a":}`, `[`, `{`, `{"a":1`, `[1]]`, `{}{}`,
		strings.Repeat("[", 100000), strings.Repeat(`{"a":`, 100000),
		strings.Repeat("[", 17) + strings.Repeat("]", 17),
		`"` + strings.Repeat("x", discovery.MaxBody) + `"`,
	} {
		if err := discovery.CheckCanonical([]byte(body)); err == nil {
			t.Errorf("accepted %.60q", body)
		}
	}
}

func TestCheckCanonicalAllocatesNothing(t *testing.T) {
	body, err := discovery.Canonical(packageList(200))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() {
		if discovery.CheckCanonical(body) != nil {
			t.Error("own encoding refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCheckCanonical holds the scanner against the encoder: it accepts exactly
// what encodes to itself.
func FuzzCheckCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-2,{"b":"\u0001\"é"}],"c":null}`, `{"\u0001":1,"\n":2,"a":true}`, `[9223372036854775807,-9223372036854775808]`,
		`"\ud800"`, `{"a":1,"a":1}`, `[1.5]`, `{"b":{},"a":[]}`, `[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]`, "\"\xc3\x28\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		accepted := discovery.CheckCanonical(b) == nil
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		var v any
		same := false
		if dec.Decode(&v) == nil {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				again, err := discovery.Canonical(v)
				same = err == nil && bytes.Equal(again, b)
			}
		}
		if accepted != same {
			t.Errorf("accepted %v, encodes to itself %v: %q", accepted, same, b)
		}
	})
}

func TestClean(t *testing.T) {
	for _, test := range []struct {
		in   string
		max  int
		want string
	}{
		{"plain", 10, "plain"},
		{"a\x00b\nc\x7f", 10, "a b c "},
		{"a\xffb", 10, "a\uFFFDb"},
		{"aéé", 4, "aé"},
		{"é", 1, ""},
		{"abc", 0, ""},
	} {
		if got := discovery.Clean(test.in, test.max); got != test.want {
			t.Errorf("Clean(%q, %d) = %q, want %q", test.in, test.max, got, test.want)
		}
	}
}

type listedPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
}

func packageList(n int) any {
	list := make([]listedPackage, n)
	for i := range list {
		list[i] = listedPackage{"libsomething-dev" + strings.Repeat("x", i%9), "2.36.1-8+deb12u2", "amd64"}
	}
	return map[string]any{"manager": "dpkg", "packages": list}
}

func BenchmarkCanonical(b *testing.B) {
	v := packageList(1000)
	body, _ := discovery.Canonical(v)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := discovery.Canonical(v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckCanonical(b *testing.B) {
	body, _ := discovery.Canonical(packageList(1000))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := discovery.CheckCanonical(body); err != nil {
			b.Fatal(err)
		}
	}
}
