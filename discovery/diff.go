package discovery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
)

// MaxChanges bounds the answer of Diff.
const MaxChanges = 1000

// maxChangeText bounds each text of a Change, in bytes.
const maxChangeText = 512

// Op says what happened to an item or a field.
type Op string

// The operations. More ends a list that was cut: New says how many changes
// were left out.
const (
	Added   Op = "added"
	Removed Op = "removed"
	Changed Op = "changed"
	More    Op = "more"
)

// Change is one readable difference between two bodies of a kind.
//
// An item that came or went is one Change (its scalar fields are in New or
// Old) followed by one for each item of the lists within it. A field that
// changed is one Change with Field set; a field outside any list has no Item.
type Change struct {
	Op    Op
	Path  string // the list, "services[].listens"; for a field outside a list its parent, "release"
	Of    string // the item which the list belongs to: "nginx"
	Item  string // "tcp 10.0.0.1:80"
	Field string // the field that changed: "wildcard"
	Old   string
	New   string
}

// String is the change in a sentence: "listens of nginx: added tcp 10.0.0.1:80".
func (c Change) String() string {
	if c.Op == More {
		return c.New + " more changes"
	}
	where := c.Path
	if i := strings.LastIndexAny(where, ".]"); i >= 0 {
		where = where[i+1:]
	}
	if c.Of != "" {
		where += " of " + c.Of
	}
	what := strings.TrimSpace(c.Item + " " + c.Field)
	if where != "" && what != "" {
		where += ": "
	}
	if c.Op == Changed || c.Field != "" {
		return fmt.Sprintf("%s%s %s: %q -> %q", where, c.Op, what, c.Old, c.New)
	}
	return fmt.Sprintf("%s%s %s", where, c.Op, what)
}

// Diff lists what differs between two canonical bodies of a kind: items of
// keyed lists matched by their key, scalars by their path, in an order that
// depends on the two bodies only. An empty body stands for a fact that was not
// there. Of a kind without a described body, and in fields that the
// description does not know, lists are compared as wholes.
func Diff(kind Kind, old, new []byte) ([]Change, error) {
	d := differ{lists: map[string]Field{}}
	if kind.Body != nil {
		fields, err := Describe(kind)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			if f.Shape == Items {
				d.lists[f.Path] = f
			}
		}
	}
	was, err := decodeBody(old)
	if err != nil {
		return nil, fmt.Errorf("old body of kind %s: %w", kind.Name, err)
	}
	is, err := decodeBody(new)
	if err != nil {
		return nil, fmt.Errorf("new body of kind %s: %w", kind.Name, err)
	}
	d.objects(place{}, was, is)
	if d.more > 0 {
		d.changes = append(d.changes, Change{Op: More, New: fmt.Sprint(d.more)})
	}
	return d.changes, nil
}

func decodeBody(b []byte) (map[string]any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if err := CheckCanonical(b); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var body map[string]any
	if err := dec.Decode(&body); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	return body, nil
}

type differ struct {
	lists   map[string]Field // by path
	changes []Change
	more    int
}

// place is where in the body the comparison stands.
type place struct {
	path string // of the object: "services[]", "release", ""
	list string // the innermost list: "services"
	of   string // the item around the list
	item string // the item of the list
}

func (p place) child(name string) string {
	if p.path == "" {
		return name
	}
	return p.path + "." + name
}

func (d *differ) add(c Change) {
	if len(d.changes) == MaxChanges {
		d.more++
		return
	}
	c.Of, c.Item = clip(c.Of), clip(c.Item)
	c.Field, c.Old, c.New = clip(c.Field), clip(c.Old), clip(c.New)
	d.changes = append(d.changes, c)
}

func clip(s string) string {
	if len(s) <= maxChangeText {
		return s
	}
	return Clean(s, maxChangeText-len("…")) + "…"
}

// objects compares two objects field by field; either may be nil.
func (d *differ) objects(at place, old, new map[string]any) {
	names := make([]string, 0, len(old)+len(new))
	for name := range old {
		names = append(names, name)
	}
	for name := range new {
		if _, both := old[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		d.field(at, name, old[name], new[name])
	}
}

func (d *differ) field(at place, name string, old, new any) {
	path := at.child(name)
	if list, known := d.lists[path]; known && isItems(old) && isItems(new) {
		d.items(list, at.item, asItems(old), asItems(new))
		return
	}
	oldObject, wasObject := old.(map[string]any)
	newObject, isObject := new.(map[string]any)
	if (wasObject || old == nil) && (isObject || new == nil) && (wasObject || isObject) {
		d.objects(place{path, at.list, at.of, at.item}, oldObject, newObject)
		return
	}
	was, is := text(old), text(new)
	if was == is {
		return
	}
	c := Change{Path: at.list, Of: at.of, Item: at.item, Field: name, Old: was, New: is}
	if at.list == "" {
		c.Path = at.path
	} else if inner := strings.TrimPrefix(at.path, at.list+"[]"); inner != "" {
		c.Field = strings.TrimPrefix(inner, ".") + "." + name
	}
	switch {
	case old == nil:
		c.Op = Added
	case new == nil:
		c.Op = Removed
	default:
		c.Op = Changed
	}
	if at.item != "" {
		c.Op = Changed // the item stayed; one of its fields came or went
	}
	d.add(c)
}

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
			d.whole(Removed, list, of, name(was[0]), was[0].value)
			was = was[1:]
		case len(was) == 0 || is[0].key < was[0].key:
			d.whole(Added, list, of, name(is[0]), is[0].value)
			is = is[1:]
		default:
			d.objects(place{list.Path + "[]", list.Path, of, name(is[0])}, was[0].value, is[0].value)
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
		out[i] = keyed{fmt.Sprintf("%s%08d", k, seen[k]), words(list.Title, item), item}
	}
	slices.SortFunc(out, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	return out
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

// whole reports an item that came or went, and the items of its lists.
func (d *differ) whole(op Op, list Field, of, name string, item map[string]any) {
	at := place{list.Path + "[]", list.Path, of, name}
	names := make([]string, 0, len(item))
	var scalars []string
	for field := range item {
		names = append(names, field)
	}
	slices.Sort(names)
	for _, field := range names {
		if _, known := d.lists[at.child(field)]; known && isItems(item[field]) {
			continue
		}
		scalars = append(scalars, field+"="+text(item[field]))
	}
	c := Change{Op: op, Path: list.Path, Of: of, Item: name}
	if op == Added {
		c.New = strings.Join(scalars, " ")
	} else {
		c.Old = strings.Join(scalars, " ")
	}
	d.add(c)
	for _, field := range names {
		inner, known := d.lists[at.child(field)]
		switch {
		case !known || !isItems(item[field]):
		case op == Added:
			d.items(inner, name, nil, asItems(item[field]))
		default:
			d.items(inner, name, asItems(item[field]), nil)
		}
	}
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
