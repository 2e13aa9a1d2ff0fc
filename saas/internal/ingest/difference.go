package ingest

import (
	"maps"
	"reflect"

	"assimilation/cmdb"
)

// elements is what a whole graph should say, each element once. What it is
// compared with is taken out of it, so that what is missing remains. Unlike
// cmdb.Diff it also finds shared vertices and implied edges that are too many.
type elements struct {
	vertices map[cmdb.Ref]map[string]any
	edges    map[cmdb.EdgeRef]map[string]any
}

// add puts elements in; of those that are told twice the first word stands.
func (e *elements) add(part cmdb.Elements) {
	for _, v := range part.Vertices {
		if _, ok := e.vertices[v.Ref]; !ok {
			e.vertices[v.Ref] = v.Props
		}
	}
	for _, edge := range part.Edges {
		if _, ok := e.edges[edge.Ref()]; !ok {
			e.edges[edge.Ref()] = edge.Props
		}
	}
}

// vertex compares a vertex of the graph, and adds what must be done about it.
func (e *elements) vertex(is cmdb.Vertex, d *cmdb.Delta) {
	wanted, ok := e.vertices[is.Ref]
	switch delete(e.vertices, is.Ref); {
	case !ok:
		d.GoneVertices = append(d.GoneVertices, is.Ref)
	case !same(wanted, is.Props):
		d.PutVertices = append(d.PutVertices, cmdb.Vertex{Ref: is.Ref, Props: wanted})
	}
}

// edge compares an edge of the graph.
func (e *elements) edge(is cmdb.Edge, d *cmdb.Delta) {
	wanted, ok := e.edges[is.Ref()]
	switch delete(e.edges, is.Ref()); {
	case !ok:
		d.GoneEdges = append(d.GoneEdges, is.Ref())
	case !same(wanted, is.Props):
		is.Props = wanted
		d.PutEdges = append(d.PutEdges, is)
	}
}

// missing adds what the graph does not have.
func (e *elements) missing(d *cmdb.Delta) {
	for ref, props := range e.vertices {
		d.PutVertices = append(d.PutVertices, cmdb.Vertex{Ref: ref, Props: props})
	}
	for ref, props := range e.edges {
		d.PutEdges = append(d.PutEdges, cmdb.Edge{Type: ref.Type, From: ref.From, To: ref.To, Props: props})
	}
}

func same(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, func(x, y any) bool { return reflect.DeepEqual(x, y) })
}
