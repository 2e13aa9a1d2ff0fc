package discovery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Diff lists what differs between two canonical bodies of a kind: items of
// keyed lists matched by their key, elements of lists that the kind has words
// for, other fields by their path, in an order that depends on the two bodies
// only. An empty body stands for a fact that was not there. Lists of objects
// that the kind does not describe are matched by what looks like a key, see
// likelyKey.
func Diff(kind Kind, old, new []byte) ([]Change, error) {
	d, err := newDiffer(kind)
	if err != nil {
		return nil, err
	}
	was, err := decodeBody(old)
	if err != nil {
		return nil, fmt.Errorf("old body of kind %s: %w", kind.Name, err)
	}
	is, err := decodeBody(new)
	if err != nil {
		return nil, fmt.Errorf("new body of kind %s: %w", kind.Name, err)
	}
	d.objects(place{within: &versions{was: was, is: is}}, was, is)
	if d.more > 0 {
		d.changes = append(d.changes, Change{Op: More, New: fmt.Sprint(d.more)})
	}
	return d.changes, nil
}

type differ struct {
	lists   map[string]Field // of objects, by path
	sets    map[string]bool  // lists of scalars whose elements have words, by path
	renews  map[string]bool  // lists of which an item goes on under another key
	whole   int              // how many items that came or went are around
	changes []Change
	more    int
}

func newDiffer(kind Kind) (*differ, error) {
	d := &differ{lists: map[string]Field{}, sets: map[string]bool{}, renews: map[string]bool{}}
	if kind.Body == nil {
		return d, nil
	}
	fields, err := Describe(kind)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		switch f.Shape {
		case Items:
			d.lists[f.Path] = f
			w := kind.words(f.Path)
			d.renews[f.Path] = w != nil && w.Renews
		case List:
			d.sets[f.Path] = kind.words(f.Path) != nil
		}
	}
	return d, nil
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

// place is where in the body the comparison stands.
type place struct {
	path string // of the object: "services[]", "release", ""
	list string // the innermost list: "services"
	of   string // the item around the list
	item string // the item of the list

	within *versions
}

// field is a field's path from the item, or the whole body, on.
func (p place) field(name string) string {
	path := strings.TrimPrefix(p.child(name), p.list+"[].")
	if p.list == "" {
		return p.child(name)
	}
	return path
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
	c.Of, c.Item, c.part = clip(c.Of), clip(c.Item), d.whole > 0
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
	list, known := d.lists[path]
	if !known && (isItems(old) && isItems(new)) && (old != nil || new != nil) {
		list, known = likelyKey(path, asItems(old), asItems(new))
	}
	if known && isItems(old) && isItems(new) {
		d.items(list, at.item, asItems(old), asItems(new))
		return
	}
	if d.sets[path] {
		d.elements(path, at.item, elementsOf(old), elementsOf(new))
		return
	}
	oldObject, wasObject := old.(map[string]any)
	newObject, isObject := new.(map[string]any)
	if (wasObject || old == nil) && (isObject || new == nil) && (wasObject || isObject) {
		d.objects(place{path, at.list, at.of, at.item, at.within}, oldObject, newObject)
		return
	}
	c := Change{Path: at.list, Of: at.of, Item: at.item, Field: at.field(name), Old: text(old), New: text(new), within: at.within, field: at.field(name)}
	if reflect.DeepEqual(old, new) || c.Old == "" && c.New == "" {
		return
	}
	if at.list == "" {
		c.Path, c.Field = at.path, name
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
