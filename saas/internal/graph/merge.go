package graph

import (
	"cmp"
	"slices"

	"assimilation/cmdb"
)

// work is the net effect of a batch of deltas: one wish per element.
type work struct {
	vertices map[cmdb.Ref]map[string]any
	edges    map[cmdb.EdgeRef]map[string]any
	goneV    map[cmdb.Ref]bool
	goneE    map[cmdb.EdgeRef]bool

	from map[cmdb.Ref][]cmdb.EdgeRef // edges to be put that leave a shared vertex
	into map[cmdb.Ref]int            // how many edges to be put lead to a vertex
}

// merge lets the later delta win. Within one delta no element is put and gone.
func merge(deltas []cmdb.Delta) *work {
	w := &work{
		vertices: map[cmdb.Ref]map[string]any{}, edges: map[cmdb.EdgeRef]map[string]any{},
		goneV: map[cmdb.Ref]bool{}, goneE: map[cmdb.EdgeRef]bool{},
		from: map[cmdb.Ref][]cmdb.EdgeRef{}, into: map[cmdb.Ref]int{},
	}
	for _, d := range deltas {
		for _, ref := range d.GoneVertices {
			w.goneV[ref] = true
			delete(w.vertices, ref)
		}
		for _, ref := range d.GoneEdges {
			w.goneE[ref] = true
			delete(w.edges, ref)
		}
		for _, v := range d.PutVertices {
			w.vertices[v.Ref] = v.Props
			delete(w.goneV, v.Ref)
		}
		for _, e := range d.PutEdges {
			w.edges[e.Ref()] = e.Props
			delete(w.goneE, e.Ref())
		}
	}
	for ref := range w.edges {
		w.into[ref.To]++
		if cmdb.IsShared(ref.From.Label) {
			w.from[ref.From] = append(w.from[ref.From], ref)
		}
	}
	return w
}

func (w *work) empty() bool {
	return len(w.vertices)+len(w.edges)+len(w.goneV)+len(w.goneE) == 0
}

// keysOf lists the keys of one label among refs, sorted: neighbouring keys lie
// on the same index pages.
func keysOf[V any](refs map[cmdb.Ref]V, label cmdb.Label) []string {
	var keys []string
	for ref := range refs {
		if ref.Label == label {
			keys = append(keys, ref.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// keysByLabel is keysOf for all labels: a batch is gone through once, not for each
// label that there is.
func keysByLabel[V any](refs map[cmdb.Ref]V) map[cmdb.Label][]string {
	all := map[cmdb.Label][]string{}
	for ref := range refs {
		all[ref.Label] = append(all[ref.Label], ref.Key)
	}
	for _, keys := range all {
		slices.Sort(keys)
	}
	return all
}

// edgesByType lists the edges of each type, sorted by their ends.
func edgesByType[V any](refs map[cmdb.EdgeRef]V) map[cmdb.EdgeType][]cmdb.EdgeRef {
	all := map[cmdb.EdgeType][]cmdb.EdgeRef{}
	for ref := range refs {
		all[ref.Type] = append(all[ref.Type], ref)
	}
	for _, edges := range all {
		slices.SortFunc(edges, func(a, b cmdb.EdgeRef) int {
			return cmp.Or(cmp.Compare(a.From.Key, b.From.Key), cmp.Compare(a.To.Key, b.To.Key))
		})
	}
	return all
}
