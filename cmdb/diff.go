package cmdb

import (
	"maps"
	"reflect"
)

// Delta is the difference between two sets of elements: what a writer must do
// so that the graph says the second instead of the first.
type Delta struct {
	PutVertices  []Vertex  // new or changed
	PutEdges     []Edge    // new or changed
	GoneVertices []Ref     // owned vertices no longer asserted; shared ones are never listed
	GoneEdges    []EdgeRef // asserted edges no longer there; implied ones are never listed
}

// EdgeRef names an edge.
type EdgeRef struct {
	Type     EdgeType
	From, To Ref
}

// Ref names the edge.
func (e Edge) Ref() EdgeRef { return EdgeRef{e.Type, e.From, e.To} }

// Empty reports whether there is nothing to do.
func (d Delta) Empty() bool {
	return len(d.PutVertices)+len(d.PutEdges)+len(d.GoneVertices)+len(d.GoneEdges) == 0
}

// IsShared reports whether a label's vertices belong to nobody.
func IsShared(l Label) bool { return vertexSpecs[l].Shared }

// Diff compares two projections of the same fact. Either may be empty.
func Diff(old, new Elements) Delta {
	var d Delta
	oldV := make(map[Ref]Vertex, len(old.Vertices))
	for _, v := range old.Vertices {
		oldV[v.Ref] = v
	}
	newV := make(map[Ref]bool, len(new.Vertices))
	for _, v := range new.Vertices {
		if newV[v.Ref] {
			continue
		}
		newV[v.Ref] = true
		if was, ok := oldV[v.Ref]; !ok || !equalProps(was.Props, v.Props) {
			d.PutVertices = append(d.PutVertices, v)
		}
	}
	for _, v := range old.Vertices {
		if !newV[v.Ref] && !IsShared(v.Label) {
			d.GoneVertices = append(d.GoneVertices, v.Ref)
		}
	}
	oldE := make(map[EdgeRef]Edge, len(old.Edges))
	for _, e := range old.Edges {
		oldE[e.Ref()] = e
	}
	newE := make(map[EdgeRef]bool, len(new.Edges))
	for _, e := range new.Edges {
		if newE[e.Ref()] {
			continue
		}
		newE[e.Ref()] = true
		if was, ok := oldE[e.Ref()]; !ok || !equalProps(was.Props, e.Props) {
			d.PutEdges = append(d.PutEdges, e)
		}
	}
	for _, e := range old.Edges {
		if !newE[e.Ref()] && !IsShared(e.From.Label) {
			d.GoneEdges = append(d.GoneEdges, e.Ref())
		}
	}
	return d
}

func equalProps(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, func(x, y any) bool { return reflect.DeepEqual(x, y) })
}
