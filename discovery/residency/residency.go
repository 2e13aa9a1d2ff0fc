// Package residency says what of a site's facts may leave it while the tenant
// keeps its topology there: everything but the fields of class topology.
//
// What a relay does not know it does not let go: a kind or a schema that is
// newer than this program may say where hosts stand. Kinds "x-..." are the
// customer's own scripts, and leave.
package residency

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"assimilation/discovery"
)

// Extent is how much of the facts of a kind may leave.
type Extent int

// The extents.
const (
	Unknown Extent = iota // nothing: this program does not know the kind
	Newer                 // nothing: this program knows an older schema only
	Nothing               // what tells its items apart is topology, or all of it is
	Part                  // without the fields of class topology
	Whole
)

// Rules are the extents of all kinds. They do not change.
type Rules struct{ kinds map[string]rule }

type rule struct {
	schema int
	extent Extent
	body   *node
}

// node is a field that may leave, with those inside it.
type node struct {
	shape  discovery.Shape
	fields map[string]*node
}

// Kinds lists the kinds that there are rules of.
func (r *Rules) Kinds() []string { return slices.Sorted(maps.Keys(r.kinds)) }

// Name tells these rules from those of another version of the program.
func (r *Rules) Name() string {
	var kinds []string
	for name, known := range r.kinds {
		kinds = append(kinds, fmt.Sprintf("%s %d %d", name, known.schema, known.extent))
	}
	slices.Sort(kinds)
	hash := sha256.Sum256([]byte(strings.Join(kinds, "\n")))
	return hex.EncodeToString(hash[:8])
}

// New makes the rules of these kinds.
func New(all []discovery.Kind) (*Rules, error) {
	rules := &Rules{kinds: make(map[string]rule, len(all))}
	for _, kind := range all {
		fields, err := discovery.Describe(kind)
		if err != nil {
			return nil, fmt.Errorf("deciding what may leave a site: %w", err)
		}
		r := rule{schema: kind.Version, extent: Whole, body: &node{shape: discovery.Object, fields: map[string]*node{}}}
		held := map[string]bool{}
		for _, f := range fields {
			if f.Class == discovery.ClassTopology {
				held[f.Path] = true
			}
		}
		for _, f := range fields {
			parent := r.body.at(f.Path)
			if held[f.Path] || parent == nil || keyed(f, held) {
				r.extent = Part
				continue
			}
			child := &node{shape: f.Shape}
			if f.Shape == discovery.Object || f.Shape == discovery.Items {
				child.fields = map[string]*node{}
			}
			parent.fields[lastName(f.Path)] = child
		}
		if !r.body.tells() {
			r.extent = Nothing
		}
		rules.kinds[kind.Name] = r
	}
	return rules, nil
}

// keyed reports whether what tells the items of a list apart is held back.
func keyed(f discovery.Field, held map[string]bool) bool {
	return slices.ContainsFunc(f.Key, func(name string) bool { return held[f.Path+"[]."+name] })
}

// at is the node in which the field of a path stands; nil if that is held back.
func (n *node) at(path string) *node {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		if n = n.fields[strings.TrimSuffix(name, "[]")]; n == nil {
			return nil
		}
	}
	return n
}

func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// tells reports whether a scalar is left.
func (n *node) tells() bool {
	if n.fields == nil {
		return true
	}
	for _, child := range n.fields {
		if child.tells() {
			return true
		}
	}
	return false
}

// Extent is how much of a fact may leave.
func (r *Rules) Extent(kind string, schema int) Extent {
	if discovery.IsScript(kind) {
		return Whole
	}
	known, ok := r.kinds[kind]
	switch {
	case !ok:
		return Unknown
	case schema > known.schema && known.extent != Nothing:
		return Newer
	}
	return known.extent
}

// Redact is a body of extent Part without what may not leave, in canonical form.
// Fields that the kind does not have go too.
func (r *Rules) Redact(kind string, body []byte) ([]byte, error) {
	known, ok := r.kinds[kind]
	if !ok {
		return nil, fmt.Errorf("redacting a fact: kind %q is not known", kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("redacting a fact of kind %s: %w", kind, err)
	}
	left, ok := known.body.prune(value)
	if !ok {
		left = map[string]any{}
	}
	redacted, err := discovery.Canonical(left)
	if err != nil {
		return nil, fmt.Errorf("redacting a fact of kind %s: %w", kind, err)
	}
	return redacted, nil
}

// prune is what may leave of a value; false if it does not have the shape that
// the kind gives it.
func (n *node) prune(value any) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		if n.shape != discovery.Object {
			return nil, false
		}
		return n.pruneFields(v), true
	case []any:
		kept := make([]any, 0, len(v))
		for _, item := range v {
			object, isObject := item.(map[string]any)
			_, isList := item.([]any)
			switch {
			case n.shape == discovery.Items && isObject:
				kept = append(kept, n.pruneFields(object))
			case n.shape == discovery.List && !isObject && !isList:
				kept = append(kept, item)
			}
		}
		return kept, n.shape == discovery.Items || n.shape == discovery.List
	}
	return value, n.fields == nil && n.shape != discovery.List
}

func (n *node) pruneFields(object map[string]any) map[string]any {
	kept := make(map[string]any, len(object))
	for name, value := range object {
		child := n.fields[name]
		if child == nil {
			continue
		}
		if left, ok := child.prune(value); ok {
			kept[name] = left
		}
	}
	return kept
}
