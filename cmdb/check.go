package cmdb

import "fmt"

// MaxElements bounds what one fact may say: what a batch can be written with in
// seconds.
const MaxElements = 100_000

// Check reports why a graph could not hold the elements: a key or an indexed
// property that fits no index page, an edge between labels that its type does
// not join, or too many of them.
func (e Elements) Check() error {
	if n := len(e.Vertices) + len(e.Edges); n > MaxElements {
		return fmt.Errorf("%d graph elements, at most %d are allowed", n, MaxElements)
	}
	for _, v := range e.Vertices {
		spec, known := vertexSpecs[v.Label]
		if !known {
			return fmt.Errorf("unknown label %s", v.Label)
		}
		if err := checkKey(v.Ref); err != nil {
			return err
		}
		for _, property := range spec.Index {
			if text, ok := v.Props[property].(string); ok && len(text) > MaxKey {
				return fmt.Errorf("%s of a %s has %d bytes, at most %d are allowed", property, v.Label, len(text), MaxKey)
			}
		}
	}
	for _, edge := range e.Edges {
		spec, known := edgeSpecs[edge.Type]
		if !known || edge.From.Label != spec.From || edge.To.Label != spec.To {
			return fmt.Errorf("no edge type %s leads from %s to %s", edge.Type, edge.From.Label, edge.To.Label)
		}
		for _, end := range []Ref{edge.From, edge.To} {
			if err := checkKey(end); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkKey(r Ref) error {
	if len(r.Key) == 0 || len(r.Key) > MaxKey {
		return fmt.Errorf("key of a %s has %d bytes, 1 to %d are allowed", r.Label, len(r.Key), MaxKey)
	}
	return nil
}

var vertexSpecs = func() map[Label]VertexSpec {
	m := map[Label]VertexSpec{}
	for _, v := range Vertices {
		m[v.Label] = v
	}
	return m
}()

var edgeSpecs = func() map[EdgeType]EdgeSpec {
	m := map[EdgeType]EdgeSpec{}
	for _, e := range Edges {
		m[e.Type] = e
	}
	return m
}()
