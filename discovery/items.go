package discovery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
)

func isItems(v any) bool {
	list, ok := v.([]any)
	return v == nil || ok && !slices.ContainsFunc(list, func(e any) bool { _, object := e.(map[string]any); return !object })
}

func asItems(v any) []map[string]any {
	list, _ := v.([]any)
	items := make([]map[string]any, 0, len(list))
	for _, e := range list {
		if object, ok := e.(map[string]any); ok {
			items = append(items, object)
		}
	}
	return items
}

// keyed is an item beside its key. Items of one list that have the same key,
// which a proper body does not hold, are told apart by their order.
type keyed struct {
	key   string
	title string
	value map[string]any
}

// items compares two lists of objects by their keys.
func (d *differ) items(list Field, of string, old, new []map[string]any) {
	was, is := index(list, old), index(list, new)
	if d.renews[list.Path] {
		rename(was, is)
	}
	titles := map[string]string{} // title -> the key it stands for, "" when for several
	for _, k := range append(slices.Clone(was), is...) {
		if other, taken := titles[k.title]; taken && other != k.key {
			titles[k.title] = ""
		} else if !taken {
			titles[k.title] = k.key
		}
	}
	name := func(k keyed) string {
		if titles[k.title] == "" {
			return k.title + " (" + words(list.Key, k.value) + ")"
		}
		return k.title
	}
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && was[0].key < is[0].key:
			d.cameOrWent(Removed, list, of, name(was[0]), was[0])
			was = was[1:]
		case len(was) == 0 || is[0].key < was[0].key:
			d.cameOrWent(Added, list, of, name(is[0]), is[0])
			is = is[1:]
		default:
			d.objects(place{list.Path + "[]", list.Path, of, name(is[0]), &versions{list.Path, is[0].title, was[0].value, is[0].value}}, was[0].value, is[0].value)
			was, is = was[1:], is[1:]
		}
	}
}

// index sorts items by key.
func index(list Field, items []map[string]any) []keyed {
	out := make([]keyed, len(items))
	seen := map[string]int{}
	for i, item := range items {
		var key strings.Builder
		for _, name := range list.Key {
			key.WriteString(sortable(item[name]))
			key.WriteByte(0)
		}
		k := key.String()
		seen[k]++
		title := words(list.Title, item)
		if len(list.Key) == 0 {
			title = fmt.Sprintf("#%d", i+1)
		}
		out[i] = keyed{fmt.Sprintf("%s%08d", k, seen[k]), title, item}
	}
	slices.SortFunc(out, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	return out
}

// rename gives an item that went the key of the one that came, where they are the
// only two of their title that did.
func rename(was, is []keyed) {
	lone := func(these, others []keyed) map[string]*keyed {
		out := map[string]*keyed{}
		for i := range these {
			if slices.ContainsFunc(others, func(k keyed) bool { return k.key == these[i].key }) {
				continue
			}
			k := &these[i]
			if _, twice := out[k.title]; twice {
				k = nil
			}
			out[these[i].title] = k
		}
		return out
	}
	came := lone(is, was)
	for title, k := range lone(was, is) {
		if other := came[title]; k != nil && other != nil {
			k.key = other.key
		}
	}
	slices.SortFunc(was, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
}

// sortable is a value's text, numbers padded so that they sort as numbers.
func sortable(v any) string {
	if n, ok := v.(json.Number); ok && len(n) < 20 {
		return strings.Repeat("0", 20-len(n)) + string(n)
	}
	return text(v)
}

// words joins the named fields of an item; "ip:port" joins two as an endpoint.
func words(names []string, item map[string]any) string {
	var out []string
	for _, name := range names {
		word := text(item[name])
		if host, port, both := strings.Cut(name, ":"); both {
			word = net.JoinHostPort(text(item[host]), text(item[port]))
		}
		if word != "" {
			out = append(out, word)
		}
	}
	return strings.Join(out, " ")
}

// cameOrWent reports an item that came or went, and what its lists hold.
func (d *differ) cameOrWent(op Op, list Field, of, name string, k keyed) {
	at := place{path: list.Path + "[]"}
	names := make([]string, 0, len(k.value))
	var scalars []string
	for field := range k.value {
		names = append(names, field)
	}
	slices.Sort(names)
	for _, field := range names {
		if !d.within(at.child(field), k.value[field]) {
			scalars = append(scalars, field+"="+text(k.value[field]))
		}
	}
	c := Change{Op: op, Path: list.Path, Of: of, Item: name, within: &versions{list: list.Path, title: k.title}}
	if op == Added {
		c.New, c.within.is = strings.Join(scalars, " "), k.value
	} else {
		c.Old, c.within.was = strings.Join(scalars, " "), k.value
	}
	d.add(c)
	d.whole++
	defer func() { d.whole-- }()
	for _, field := range names {
		path, value := at.child(field), k.value[field]
		was, is := any(nil), value
		if op == Removed {
			was, is = value, nil
		}
		switch {
		case !d.within(path, value):
		case d.sets[path]:
			d.elements(path, name, elementsOf(was), elementsOf(is))
		default:
			d.items(d.lists[path], name, asItems(was), asItems(is))
		}
	}
}

// within reports whether a field of an item is a list whose parts are reported
// one by one.
func (d *differ) within(path string, value any) bool {
	_, known := d.lists[path]
	return known && isItems(value) || d.sets[path]
}

// likelyKey finds, for a list that no kind describes, the field that tells its
// items apart: one by which things are commonly called, that all have, each with
// another value. Without one, items are matched by their places in the list.
func likelyKey(path string, lists ...[]map[string]any) (Field, bool) {
	for _, name := range []string{"id", "name", "key", "path", "device", "host", "address", "title"} {
		if !slices.ContainsFunc(lists, func(items []map[string]any) bool { return !tellsApart(name, items) }) {
			return Field{Path: path, Shape: Items, Key: []string{name}, Title: []string{name}}, true
		}
	}
	return Field{Path: path, Shape: Items}, true
}

func tellsApart(name string, items []map[string]any) bool {
	seen := map[string]bool{}
	for _, item := range items {
		switch item[name].(type) {
		case string, json.Number:
		default:
			return false
		}
		value := text(item[name])
		if value == "" || seen[value] {
			return false
		}
		seen[value] = true
	}
	return true
}

// elements compares lists of scalars of which each element stands for itself.
func (d *differ) elements(path, of string, old, new []string) {
	left := map[string]int{}
	for _, e := range old {
		left[e]++
	}
	came := false
	for _, e := range new {
		if left[e] > 0 {
			left[e]--
			continue
		}
		came = true
		d.add(Change{Op: Added, Path: path, Of: of, Item: e, New: e, within: &versions{list: path, title: e, is: map[string]any{"item": e}}})
	}
	for _, e := range old {
		if left[e] > 0 {
			left[e]--
			came = true
			d.add(Change{Op: Removed, Path: path, Of: of, Item: e, Old: e, within: &versions{list: path, title: e, was: map[string]any{"item": e}}})
		}
	}
	if !came && !slices.Equal(old, new) {
		d.add(Change{Op: Changed, Path: path, Of: of, Field: "order", Old: strings.Join(old, ", "), New: strings.Join(new, ", "), within: &versions{list: path}, field: "order"})
	}
}

// elementsOf are the texts of a list of scalars.
func elementsOf(v any) []string {
	list, _ := v.([]any)
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = text(e)
	}
	return out
}

// text is a value for people: strings bare, lists of scalars separated by
// spaces.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return string(v)
	case bool:
		return fmt.Sprint(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = text(e)
		}
		return strings.Join(parts, " ")
	}
	b, err := Canonical(v)
	if err != nil {
		return ""
	}
	return string(b)
}
