package history

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
)

// Elements of a graph as they were. Numbers among the properties are
// json.Number.
type Elements struct {
	Vertices []VertexAt `json:"vertices" nullable:"false"`
	Edges    []EdgeAt   `json:"edges" nullable:"false"`
}

// VertexAt is one that there was.
type VertexAt struct {
	Label cmdb.Label     `json:"label"`
	Key   string         `json:"key"`
	Props map[string]any `json:"properties"`
}

// EdgeAt is one that there was, by the keys of its ends.
type EdgeAt struct {
	Type  cmdb.EdgeType  `json:"type"`
	From  string         `json:"from" doc:"key of the start"`
	To    string         `json:"to" doc:"key of the end"`
	Props map[string]any `json:"properties"`
}

// VerticesAt reads the vertices that are named, as they were at a time, which Graph
// has allowed. What was not there is left out.
func VerticesAt(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, refs []cmdb.Ref, at time.Time) ([]VertexAt, error) {
	found, err := (reading{tenant: tenant, at: at}).vertices(ctx, tx, refs)
	vertices := make([]VertexAt, 0, len(found))
	for _, v := range found {
		vertices = append(vertices, v.vertex())
	}
	return vertices, err
}

// ElementsAt reads vertices as VerticesAt does, and the edges that left them.
func ElementsAt(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, refs []cmdb.Ref, at time.Time) (Elements, error) {
	r := reading{tenant: tenant, at: at}
	found, err := r.vertices(ctx, tx, refs)
	if err != nil {
		return Elements{}, err
	}
	e := Elements{Vertices: []VertexAt{}, Edges: []EdgeAt{}}
	for _, v := range found {
		e.Vertices = append(e.Vertices, v.vertex())
	}
	left, err := r.edges(ctx, tx, found)
	for _, edge := range left {
		e.Edges = append(e.Edges, EdgeAt{cmdb.EdgeType(edge.label), edge.key, edge.to, edge.props})
	}
	return e, err
}

// maxElements bounds what HostAt returns of one host.
const maxElements = 10_000

// HostAt reads what the graph said of a host at a time, which Graph has allowed:
// the host, all that it owned, the edges that left these, and the vertices that
// those led to. What a shared vertex leads to in turn is implied by its key. more
// reports that there was more than is returned.
func HostAt(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, host tenancy.HostID, at time.Time) (all Elements, more bool, err error) {
	all = Elements{Vertices: []VertexAt{}, Edges: []EdgeAt{}}
	seen := map[cmdb.Ref]bool{}
	next := []cmdb.Ref{{Label: cmdb.Host, Key: host.String()}}
	for len(next) > 0 {
		found, err := ElementsAt(ctx, tx, tenant, next, at)
		if err != nil {
			return Elements{}, false, err
		}
		next = nil
		all.Vertices = append(all.Vertices, found.Vertices...)
		var shared []cmdb.Ref
		for _, edge := range found.Edges {
			if len(all.Vertices)+len(all.Edges)+len(next)+len(shared) >= maxElements {
				more = true
				break
			}
			all.Edges = append(all.Edges, edge)
			to := cmdb.Ref{Label: endOf(edge.Type), Key: edge.To}
			switch {
			case seen[to]:
			case cmdb.IsShared(to.Label):
				shared = append(shared, to)
			default:
				next = append(next, to)
			}
			seen[to] = true
		}
		led, err := VerticesAt(ctx, tx, tenant, shared, at)
		if err != nil {
			return Elements{}, false, err
		}
		all.Vertices = append(all.Vertices, led...)
	}
	return all, more, nil
}

func endOf(t cmdb.EdgeType) cmdb.Label {
	for _, e := range cmdb.Edges {
		if e.Type == t {
			return e.To
		}
	}
	return ""
}
