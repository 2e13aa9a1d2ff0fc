package discovery

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Bounds of what is told of one difference.
const (
	maxListed  = 5   // elements of a list that came or went
	maxDetails = 160 // bytes of the fields of an item that came
)

// none stands for a value that is not there.
const none = "(none)"

// fill puts values into a template and names the fields of its arrows. It is ""
// when the template is, or is not one (see CheckWords).
func fill(w *Words, text string, c Change) (filled string, arrows []string) {
	var out strings.Builder
	var before int    // length of out where a bracket opened
	var kept []string // arrows until there
	nothing := false  // a slot since then has no value
	err := template(text, func(fixed string) { out.WriteString(fixed) }, func(s slot) {
		value := w.value(c, s)
		nothing = nothing || value == ""
		if s.arrow {
			arrows = append(arrows, s.name)
			if value == "" { // it is as it was
				value = w.value(c, slot{name: s.name, cut: s.cut})
			}
		}
		out.WriteString(value)
	}, func() {
		before, kept, nothing = out.Len(), slices.Clone(arrows), false
	}, func() {
		if nothing {
			short := out.String()[:before]
			out.Reset()
			out.WriteString(short)
			arrows = kept
		}
	})
	if err != nil {
		return "", nil
	}
	return out.String(), arrows
}

// value is what a slot stands for: of an arrow "" when nothing changed.
func (w *Words) value(c Change, s slot) string {
	was, is := lookup(c.within.was, s.name), lookup(c.within.is, s.name)
	switch {
	case s.name == "of":
		title, _, _ := strings.Cut(c.Of, " (")
		return title
	case s.name == "item" && was == nil && is == nil:
		return c.Item
	case s.on != "" || s.off != "":
		return state(was, is, s)
	case s.arrow && s.size:
		if old, new := inUnits(text(was)), inUnits(text(is)); old != new {
			return old + " -> " + new
		}
		return arrow(s.name, was, is, 0)
	case s.arrow:
		return arrow(s.name, was, is, s.cut)
	}
	v := is
	if c.Op == Removed && c.Field == "" {
		v = was
	}
	if s.size {
		return inUnits(text(v))
	}
	return w.spell(named(s.name, v, s.cut))
}

// spell writes a value as people do.
func (w *Words) spell(value string) string {
	for _, s := range w.Spelled {
		if strings.EqualFold(s, value) {
			return s
		}
	}
	return value
}

// state says what became of a flag, which is off where it is not there.
func state(was, is any, s slot) string {
	before, _ := was.(bool)
	after, _ := is.(bool)
	switch {
	case after && !before:
		return s.on
	case before && !after:
		return s.off
	}
	return ""
}

// lookup follows a path of objects.
func lookup(object map[string]any, path string) any {
	for {
		name, rest, more := strings.Cut(path, ".")
		if !more {
			return object[name]
		}
		object, _ = object[name].(map[string]any)
		path = rest
	}
}

// named is a value, of a flag its name.
func named(name string, v any, cut int) string {
	if set, is := v.(bool); is {
		if set {
			return spaced(name)
		}
		return ""
	}
	return show(v, cut)
}

// spaced is a field's name in words.
func spaced(name string) string {
	return strings.NewReplacer("_", " ", ".", " ").Replace(name)
}

// show is a value for people.
func show(v any, cut int) string {
	list, is := v.([]any)
	if !is {
		return cutTo(text(v), cut)
	}
	parts := make([]string, 0, len(list))
	for i, e := range list {
		if i == maxListed {
			parts = append(parts, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		parts = append(parts, cutTo(text(e), cut))
	}
	return strings.Join(parts, ", ")
}

// arrow tells two values of a field apart; "" when they are the same.
func arrow(name string, was, is any, cut int) string {
	if said, is := turned(name, was, is); is {
		return said
	}
	if scalars(was) && scalars(is) {
		before, after := elementsOf(was), elementsOf(is)
		if len(before) != 1 || len(after) != 1 {
			return cameAndWent(before, after, cut)
		}
	}
	old, new := show(was, cut), show(is, cut)
	if old == new && text(was) == text(is) {
		return ""
	}
	if old == "" {
		old = none
	}
	if new == "" {
		new = none
	}
	return old + " -> " + new
}

// turned tells of a flag, which is off where it is not there.
func turned(name string, was, is any) (said string, flag bool) {
	before, had := was.(bool)
	after, has := is.(bool)
	switch {
	case !had && !has || !had && was != nil || !has && is != nil:
		return "", false
	case after && !before:
		return "now " + spaced(name), true
	case before && !after:
		return "no longer " + spaced(name), true
	}
	return "", true
}

// scalars reports a list without objects or lists in it, or nothing at all.
func scalars(v any) bool {
	list, is := v.([]any)
	return v == nil || is && !slices.ContainsFunc(list, func(e any) bool {
		switch e.(type) {
		case string, json.Number, bool:
			return false
		}
		return true
	})
}

// cameAndWent tells two lists apart by their elements: "added a, b; removed c".
func cameAndWent(was, is []string, cut int) string {
	if slices.Equal(was, is) {
		return ""
	}
	less := func(from, of []string) []any {
		left := map[string]int{}
		for _, e := range of {
			left[e]++
		}
		var out []any
		for _, e := range from {
			if left[e] > 0 {
				left[e]--
			} else {
				out = append(out, e)
			}
		}
		return out
	}
	var parts []string
	if came := less(is, was); len(came) > 0 {
		parts = append(parts, "added "+show(came, cut))
	}
	if went := less(was, is); len(went) > 0 {
		parts = append(parts, "removed "+show(went, cut))
	}
	if parts == nil {
		return "now in the order " + show(less(is, nil), cut)
	}
	return strings.Join(parts, "; ")
}

// outside tells of a field outside lists: "release version_id: 12 -> 13".
func outside(c Change) string {
	if text, flag := turned(c.field, lookup(c.within.was, c.field), lookup(c.within.is, c.field)); flag {
		return text
	}
	return strings.TrimSpace(strings.ReplaceAll(c.field, ".", " ") + ": " + c.told())
}

// told is the difference of the change's field.
func (c Change) told() string {
	said := arrow(c.field, lookup(c.within.was, c.field), lookup(c.within.is, c.field), 0)
	if said == "" { // such as "" that became an empty list
		return c.Old + " -> " + c.New
	}
	return said
}

// of says which item a list belongs to.
func (c Change) of() string {
	if c.Of == "" {
		return ""
	}
	title, _, _ := strings.Cut(c.Of, " (")
	return " of " + title
}

// stayed tells of fields of an item that stayed: "link eth0: mtu 1500 -> 9000".
func stayed(noun string, run []Change) string {
	parts := make([]string, len(run))
	for i, c := range run {
		parts[i] = spaced(c.field) + " " + c.told()
		if _, flag := turned(c.field, lookup(c.within.was, c.field), lookup(c.within.is, c.field)); flag {
			parts[i] = c.told() // which names it
		}
	}
	return strings.TrimSpace(noun+" "+run[0].Item) + run[0].of() + ": " + strings.Join(parts, ", ")
}

// cameOrWent tells of an item without words: "user bob added (uid 1001)".
func cameOrWent(noun string, c Change) string {
	if c.Op == Removed {
		return noun + " " + c.Item + c.of() + " removed"
	}
	names := make([]string, 0, len(c.within.is))
	for name := range c.within.is {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	size := 0
	for _, name := range names {
		v := c.within.is[name]
		said := named(name, v, 64)
		if said == "" || strings.Contains(" "+c.Item+" ", " "+said+" ") {
			continue
		}
		if _, is := v.(bool); !is {
			said = spaced(name) + " " + said
		}
		if size += len(said); size > maxDetails {
			break
		}
		parts = append(parts, said)
	}
	text := noun + " " + c.Item + c.of() + " added"
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}
