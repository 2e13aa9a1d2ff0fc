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
	r := reading{tenant: tenant, at: at}
	found, err := r.vertices(ctx, tx, refs)
	if err != nil {
		return Elements{}, err
	}
	e := Elements{Vertices: []VertexAt{}, Edges: []EdgeAt{}}
	for _, v := range found {
		e.Vertices = append(e.Vertices, v.VertexAt)
	}
	e.Edges, err = r.edges(ctx, tx, found)
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
		led, err := (reading{tenant, at}).vertices(ctx, tx, shared)
		if err != nil {
			return Elements{}, false, err
		}
		for _, v := range led {
			all.Vertices = append(all.Vertices, v.VertexAt)
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

// reading is how elements of a time are read: what is now and did not change
// later, and what was before the first change after that time.
type reading struct {
	tenant tenancy.TenantID
	at     time.Time
}

// identified is a vertex with the id that its edges knew it by.
type identified struct {
	VertexAt
	id string
}

// vertices reads those that are named, one statement for each label.
func (r reading) vertices(ctx context.Context, tx pgx.Tx, refs []cmdb.Ref) (found []identified, err error) {
	keys := map[cmdb.Label][]string{}
	for _, ref := range refs {
		keys[ref.Label] = append(keys[ref.Label], ref.Key)
	}
	queue := &pgx.Batch{}
	for _, spec := range cmdb.Vertices {
		if len(keys[spec.Label]) == 0 {
			continue
		}
		label := spec.Label
		sql := strings.NewReplacer("{table}", tableOf(r.tenant, string(label)), "{label}", literal(string(label)),
			"{t.key}", store.Access("t.properties", store.KeyProperty), "{k.key}", agtypeOf("k.key")).Replace(`
			SELECT k.key, t.id::text, ag_catalog.agtype_out(t.properties)::text FROM unnest($1::text[]) AS k(key),
				LATERAL (SELECT t.id, t.properties FROM {table} t WHERE {t.key} = {k.key} OFFSET 0) t
			WHERE NOT EXISTS (SELECT FROM assim.undo l WHERE l.id = t.id AND l.at > $2 OFFSET 0)
			UNION ALL
			SELECT k.key, u.id::text, u.before::text FROM unnest($1::text[]) AS k(key),
				LATERAL (SELECT u.* FROM assim.undo u WHERE u.label = {label} AND u.key = k.key AND u.at > $2 AND u.before IS NOT NULL OFFSET 0) u
			WHERE NOT EXISTS (SELECT FROM assim.undo l WHERE l.id = u.id AND l.at > $2 AND (l.at, l.step) < (u.at, u.step) OFFSET 0)`)
		queue.Queue(sql, keys[label], r.at).Query(func(rows pgx.Rows) error {
			var key, id string
			var text []byte
			_, err := pgx.ForEachRow(rows, []any{&key, &id, &text}, func() error {
				props, err := decode(text)
				if err != nil {
					return fmt.Errorf("%s %.60q: %w", label, key, err)
				}
				delete(props, store.KeyProperty)
				found = append(found, identified{VertexAt{label, key, props}, id})
				return nil
			})
			return err
		})
	}
	if err := send(ctx, tx, queue); err != nil {
		return nil, fmt.Errorf("reading %d vertices as of %s: %w", len(refs), r.at.Format(time.RFC3339), err)
	}
	return found, nil
}

// edges reads those that left vertices, one statement for each type. Ids are read as such
// at once: a row's own id may be compared with a text only after its policy was
// asked, and so by no index.
func (r reading) edges(ctx context.Context, tx pgx.Tx, from []identified) ([]EdgeAt, error) {
	edges := []EdgeAt{}
	ids, keys := map[cmdb.Label][]string{}, map[string]string{}
	for _, v := range from {
		ids[v.Label] = append(ids[v.Label], v.id)
		keys[v.id] = v.Key
	}
	queue := &pgx.Batch{}
	for _, spec := range cmdb.Edges {
		if len(ids[spec.From]) == 0 {
			continue
		}
		sql := strings.NewReplacer("{table}", tableOf(r.tenant, string(spec.Type)), "{label}", literal(string(spec.Type)),
			"{to}", tableOf(r.tenant, string(spec.To)), "{key}", literal(store.KeyProperty)).Replace(`
			SELECT k.id::text, z.properties ->> {key}::text, ag_catalog.agtype_out(e.properties)::text FROM unnest($1::text[]::ag_catalog.graphid[]) AS k(id),
				LATERAL (SELECT e.id, e.end_id, e.properties FROM {table} e WHERE e.start_id = k.id OFFSET 0) e,
				LATERAL (SELECT z.properties FROM {to} z WHERE z.id = e.end_id OFFSET 0) z
			WHERE NOT EXISTS (SELECT FROM assim.undo l WHERE l.id = e.id AND l.at > $2 OFFSET 0)
			UNION ALL
			SELECT k.id::text, u.to_key, u.before::text FROM unnest($1::text[]::ag_catalog.graphid[]) AS k(id),
				LATERAL (SELECT u.* FROM assim.undo u WHERE u.start_id = k.id AND u.label = {label} AND u.at > $2 AND u.before IS NOT NULL OFFSET 0) u
			WHERE NOT EXISTS (SELECT FROM assim.undo l WHERE l.id = u.id AND l.at > $2 AND (l.at, l.step) < (u.at, u.step) OFFSET 0)`)
		queue.Queue(sql, ids[spec.From], r.at).Query(func(rows pgx.Rows) error {
			var start, to string
			var text []byte
			_, err := pgx.ForEachRow(rows, []any{&start, &to, &text}, func() error {
				props, err := decode(text)
				if err != nil {
					return fmt.Errorf("edge %s of %.60q: %w", spec.Type, keys[start], err)
				}
				edges = append(edges, EdgeAt{spec.Type, keys[start], to, props})
				return nil
			})
			return err
		})
	}
	if err := send(ctx, tx, queue); err != nil {
		return nil, fmt.Errorf("reading the edges of %d vertices as of %s: %w", len(from), r.at.Format(time.RFC3339), err)
	}
	return edges, nil
}

// send runs statements that find everything by indexes, whatever their arguments:
// making a plan for each, with all partitions of history, would take longer.
// OFFSET 0 in them keeps each look-up apart: joined, the planner may take whole
// tables, and all that changed later, for few rows.
func send(ctx context.Context, tx pgx.Tx, queue *pgx.Batch) error {
	if queue.Len() == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `SET LOCAL plan_cache_mode = force_generic_plan`); err != nil {
		return err
	}
	if err := tx.SendBatch(ctx, queue).Close(); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `SET LOCAL plan_cache_mode = auto`)
	return err
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
