package jsontext_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"assimilation/discovery/internal/jsontext"
)

func TestValues(t *testing.T) {
	v, err := jsontext.Parse(` { "a" : [ 1 , -2 ,"x\u00e9\ud83d\ude00\n\/" , { } , [] ] , "b":{"c":null,"c":"last"}, "d": 1e3 } `)
	if err != nil {
		t.Fatal(err)
	}
	var items []string
	for _, item := range v.Get("a").Items() {
		items = append(items, string(item))
	}
	if got := strings.Join(items, " | "); got != `1 | -2 | "x\u00e9\ud83d\ude00\n\/" | { } | []` {
		t.Error(got)
	}
	if got := jsontext.Value(items[2]).Text(); got != "xé😀\n/" {
		t.Errorf("%q", got)
	}
	if got := v.Get("b").Get("c").Text(); got != "last" {
		t.Errorf("%q", got)
	}
	if jsontext.Value(items[1]).Int() != -2 || v.Get("d").Int() != 0 || v.Get("none").Get("c") != "" || v.Get("d").Text() != "" {
		t.Error("integers or missing members")
	}
	for range v.Get("a").Members() {
		t.Error("an array has members")
	}
	for range v.Items() {
		t.Error("an object has items")
	}
}

func TestDepth(t *testing.T) {
	if _, err := jsontext.Parse(strings.Repeat("[", 1<<20)); err == nil {
		t.Error("no error")
	}
}

// tree builds what encoding/json does.
func tree(v jsontext.Value) any {
	switch v[0] {
	case '{':
		m := map[string]any{}
		for _, member := range v.Members() {
			m[member.Name] = tree(member.Value)
		}
		return m
	case '[':
		l := []any{}
		for _, item := range v.Items() {
			l = append(l, tree(item))
		}
		return l
	case '"':
		return v.Text()
	case 't', 'f':
		return v == "true"
	case 'n':
		return nil
	}
	return json.Number(v)
}

// FuzzParse holds the package against encoding/json.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+7,true,null,"\ud800\ud800x\udc00"]}`, `[1,]`, `{"a"}`, `01`, "\"\xff\"", `"\u12g4"`, `{"":{"":""}}`, `[]x`, `-`, `1.`, `"\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := jsontext.Parse(text)
		if valid := json.Valid([]byte(text)); valid != (err == nil) && !(valid && strings.Count(text, "[")+strings.Count(text, "{") > 64) {
			t.Fatalf("%q: valid %v, error %v", text, valid, err)
		}
		if err != nil || !utf8.ValidString(text) { // encoding/json replaces each byte of a bad run
			return
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := tree(v); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, want %#v", text, got, want)
		}
	})
}
