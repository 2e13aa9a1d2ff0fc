package discovery

import (
	"fmt"
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

	within *versions
	field  string // path of the field from within on
	part   bool   // came or went with the item around its list
}

// versions are both sides of what a change happened in: an item of a list, an
// element of a list of scalars, or the whole body; nil for a side that is not
// there.
type versions struct {
	list    string // "" for the whole body
	title   string
	was, is map[string]any
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
