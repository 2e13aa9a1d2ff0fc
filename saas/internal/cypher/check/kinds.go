// Package check gives every name and expression of a question its meaning: which
// elements a pattern can match, given the labels and types of cmdb, and of which
// type each value is. What is wrong is a *syntax.Problem that points at it.
//
// The order of the labels narrows what a pattern may find: in (a)-[:RUNS]->(b)
// a is a Host and b a Service, said or not.
package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"assimilation/cmdb"
)

// Kind of a value.
type Kind uint8

// The kinds. Any is a value whose kind is known when the question is answered: a
// property, or an item of a list of several kinds. It is never an element of
// the graph.
const (
	Any Kind = iota
	Null
	Bool
	Int
	Float
	String
	List
	Map
	Node
	Rel
	Path
)

var kindNames = map[Kind]string{Any: "a value", Null: "null", Bool: "a boolean", Int: "a whole number", Float: "a number", String: "a string",
	List: "a list", Map: "a map", Node: "a node", Rel: "a relationship", Path: "a path"}

func (k Kind) String() string { return kindNames[k] }

// Type of a value.
type Type struct {
	Kind   Kind
	Elem   *Type           // of a List
	Fields map[string]Type // of a Map that is written out; nil: not known
	Labels []cmdb.Label    // that a Node may have
	Edges  []cmdb.EdgeType // that a Rel may be of
}

func (t Type) String() string {
	if t.Kind == List && t.Elem.Kind != Any && t.Elem.Kind != Null {
		return "a list of " + strings.TrimPrefix(strings.TrimPrefix(t.Elem.Kind.String(), "a "), "an ") + "s"
	}
	return t.Kind.String()
}

func of(k Kind) Type        { return Type{Kind: k} }
func listOf(elem Type) Type { return Type{Kind: List, Elem: &elem} }

// isNumber reports whether a value is, or may be, a number.
func (t Type) isNumber() bool {
	return t.Kind == Int || t.Kind == Float || t.Kind == Any || t.Kind == Null
}

// HasElement reports whether a node, relationship or path is in the value.
func (t Type) HasElement() bool {
	switch t.Kind {
	case Node, Rel, Path:
		return true
	case List:
		return t.Elem.HasElement()
	case Map:
		for _, f := range t.Fields {
			if f.HasElement() {
				return true
			}
		}
	}
	return false
}

// merge is the type of a value that is of one type or the other.
func merge(a, b Type) (Type, error) {
	switch {
	case a.Kind == Null:
		return b, nil
	case b.Kind == Null:
		return a, nil
	case a.Kind == Node && b.Kind == Node:
		return Type{Kind: Node, Labels: union(a.Labels, b.Labels)}, nil
	case a.Kind == Rel && b.Kind == Rel:
		return Type{Kind: Rel, Edges: union(a.Edges, b.Edges)}, nil
	case a.Kind == List && b.Kind == List:
		elem, err := merge(*a.Elem, *b.Elem)
		return listOf(elem), err
	case a.Kind == Map && b.Kind == Map:
		return mergeMaps(a, b)
	case a.HasElement() != b.HasElement(), a.HasElement() && a.Kind != b.Kind:
		return Type{}, fmt.Errorf("%s and %s cannot stand for one another; use id(), labels() or properties()", a, b)
	case a.Kind == b.Kind:
		return a, nil
	}
	return of(Any), nil
}

func mergeMaps(a, b Type) (Type, error) {
	if slices.Equal(slices.Sorted(maps.Keys(a.Fields)), slices.Sorted(maps.Keys(b.Fields))) {
		fields := map[string]Type{}
		for name, f := range a.Fields {
			var err error
			if fields[name], err = merge(f, b.Fields[name]); err != nil {
				return Type{}, err
			}
		}
		return Type{Kind: Map, Fields: fields}, nil
	}
	if a.HasElement() || b.HasElement() {
		return Type{}, fmt.Errorf("two maps that hold elements of the graph must have the same names")
	}
	return of(Map), nil
}

func union[T comparable](a, b []T) []T {
	all := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}

func intersect[T comparable](a, b []T) []T {
	var both []T
	for _, x := range a {
		if slices.Contains(b, x) {
			both = append(both, x)
		}
	}
	return both
}
