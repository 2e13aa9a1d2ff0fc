package history

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
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

// ElementsAt reads the vertices that are named, as they were at a time, which
// Graph has allowed, and the edges that left them. What was not there is left out.
func ElementsAt(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, refs []cmdb.Ref, at time.Time) (Elements, error) {
	e := Elements{Vertices: []VertexAt{}, Edges: []EdgeAt{}}
	keys := map[cmdb.Label][]string{}
	for _, ref := range refs {
		keys[ref.Label] = append(keys[ref.Label], ref.Key)
	}
	queue := &pgx.Batch{}
	for _, spec := range cmdb.Vertices {
		if len(keys[spec.Label]) > 0 {
			e.askVertices(queue, tenant, spec.Label, keys[spec.Label], at)
		}
	}
	for _, spec := range cmdb.Edges {
		if len(keys[spec.From]) > 0 {
			e.askEdges(queue, tenant, spec, keys[spec.From], at)
		}
	}
	if err := tx.SendBatch(ctx, queue).Close(); err != nil {
		return Elements{}, fmt.Errorf("reading %d elements as of %s: %w", len(refs), at.Format(time.RFC3339), err)
	}
	return e, nil
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
		queue := &pgx.Batch{}
		keys := map[cmdb.Label][]string{}
		for _, ref := range shared {
			keys[ref.Label] = append(keys[ref.Label], ref.Key)
		}
		for label, of := range keys {
			all.askVertices(queue, tenant, label, of, at)
		}
		if err := tx.SendBatch(ctx, queue).Close(); err != nil {
			return Elements{}, false, fmt.Errorf("reading what host %s led to as of %s: %w", host, at.Format(time.RFC3339), err)
		}
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

// askVertices adds vertices of one label.
func (e *Elements) askVertices(queue *pgx.Batch, tenant tenancy.TenantID, label cmdb.Label, keys []string, at time.Time) {
	sql := fmt.Sprintf(`
		SELECT k.key, CASE WHEN u.later THEN u.before::text ELSE ag_catalog.agtype_out(t.properties)::text END
		FROM unnest($1::text[]) AS k(key)
		LEFT JOIN LATERAL (
			SELECT true AS later, u.before FROM assim.undo u
			WHERE u.label = %[1]s AND u.key = k.key AND u.to_key = '' AND u.at > $2 ORDER BY u.at, u.step LIMIT 1) u ON true
		LEFT JOIN %[2]s t ON %[3]s = %[4]s`,
		literal(string(label)), tableOf(tenant, string(label)), store.Access("t.properties", store.KeyProperty), agtypeOf("k.key"))
	queue.Queue(sql, keys, at).Query(func(rows pgx.Rows) error {
		var key string
		var text []byte
		_, err := pgx.ForEachRow(rows, []any{&key, &text}, func() error {
			if text == nil {
				return nil // it was not there
			}
			props, err := decode(text)
			if err != nil {
				return fmt.Errorf("%s %.60q: %w", label, key, err)
			}
			delete(props, store.KeyProperty)
			e.Vertices = append(e.Vertices, VertexAt{label, key, props})
			return nil
		})
		return err
	})
}

// askEdges adds the edges of one type that left the vertices with these keys.
func (e *Elements) askEdges(queue *pgx.Batch, tenant tenancy.TenantID, spec cmdb.EdgeSpec, keys []string, at time.Time) {
	sql := fmt.Sprintf(`
		WITH later AS MATERIALIZED (
			SELECT DISTINCT ON (u.key, u.to_key) u.key, u.to_key, u.before FROM assim.undo u
			WHERE u.label = %[1]s AND u.key = ANY($1) AND u.at > $2
			ORDER BY u.key, u.to_key, u.at, u.step
		), now AS (
			SELECT k.key, z.properties ->> %[7]s::text AS to_key, ag_catalog.agtype_out(e.properties)::text AS props
			FROM unnest($1::text[]) AS k(key)
			JOIN %[3]s a ON %[4]s = %[5]s
			JOIN %[2]s e ON e.start_id = a.id
			JOIN %[6]s z ON z.id = e.end_id
		)
		SELECT n.key, n.to_key, n.props FROM now n WHERE NOT EXISTS (SELECT FROM later l WHERE l.key = n.key AND l.to_key = n.to_key)
		UNION ALL
		SELECT key, to_key, before::text FROM later WHERE before IS NOT NULL`,
		literal(string(spec.Type)), tableOf(tenant, string(spec.Type)),
		tableOf(tenant, string(spec.From)), store.Access("a.properties", store.KeyProperty), agtypeOf("k.key"),
		tableOf(tenant, string(spec.To)), literal(store.KeyProperty))
	queue.Queue(sql, keys, at).Query(func(rows pgx.Rows) error {
		var from, to string
		var text []byte
		_, err := pgx.ForEachRow(rows, []any{&from, &to, &text}, func() error {
			props, err := decode(text)
			if err != nil {
				return fmt.Errorf("edge %s of %.60q: %w", spec.Type, from, err)
			}
			e.Edges = append(e.Edges, EdgeAt{spec.Type, from, to, props})
			return nil
		})
		return err
	})
}

func decode(text []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var props map[string]any
	if err := dec.Decode(&props); err != nil {
		return nil, fmt.Errorf("properties %.60q: %w", text, err)
	}
	return props, nil
}

// agtypeOf is the SQL that turns a text into agtype, as a value in quotes.
func agtypeOf(text string) string { return `(to_jsonb(` + text + `)::text)::ag_catalog.agtype` }

func tableOf(tenant tenancy.TenantID, label string) string {
	return pgx.Identifier{store.Graph(tenant), label}.Sanitize()
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
