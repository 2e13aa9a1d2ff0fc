package history

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// reading is how elements of a time are read: first what is there now, and the
// ids of what was there at some moment since; then the first change of each since
// that time, whose image of before is how it was. What has no such change is as it
// is now. Each step reads history once for all elements, as its partitions make
// look-ups dear.
type reading struct {
	tenant tenancy.TenantID
	at     time.Time
	found  map[string]element // by id
}

// element is a vertex, or an edge with the keys of its start and its end.
type element struct {
	id, label, key, to string
	props              map[string]any
}

// vertex is one of its element, whose key is apart.
func (e element) vertex() VertexAt {
	delete(e.props, store.KeyProperty)
	return VertexAt{cmdb.Label(e.label), e.key, e.props}
}

// vertices reads those that are named.
func (r reading) vertices(ctx context.Context, tx pgx.Tx, refs []cmdb.Ref) ([]element, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	r.found = make(map[string]element, len(refs))
	queue, keys := byIndexes(), map[string][]string{}
	for _, ref := range refs {
		keys[string(ref.Label)] = append(keys[string(ref.Label)], ref.Key)
	}
	for label, keys := range keys {
		sql := strings.NewReplacer("{table}", tableOf(r.tenant, label), "{label}", literal(label),
			"{t.key}", store.Access("t.properties", store.KeyProperty), "{k.key}", agtypeOf("k.key")).Replace(`
			SELECT t.id::text, {label}::text, k.key, '', ag_catalog.agtype_out(t.properties)::text FROM unnest($1::text[]) AS k(key),
				LATERAL (SELECT t.id, t.properties FROM {table} t WHERE {t.key} = {k.key} OFFSET 0) t`)
		queue.Queue(sql, keys).Query(r.take)
		queue.Queue(`SELECT u.id::text, u.label, u.key, '', NULL FROM assim.undo u
			WHERE u.label = $1 AND u.key = ANY($2::text[]) AND u.at > $3 AND u.before IS NOT NULL`, label, keys, r.at).Query(r.take)
	}
	if err := r.read(ctx, tx, queue); err != nil {
		return nil, fmt.Errorf("reading %d vertices as of %s: %w", len(refs), r.at.Format(time.RFC3339), err)
	}
	return r.sorted(), nil
}

// edges reads those that left vertices.
func (r reading) edges(ctx context.Context, tx pgx.Tx, from []element) ([]element, error) {
	if len(from) == 0 {
		return nil, nil
	}
	r.found = make(map[string]element, len(from))
	queue, starts, keys, all := byIndexes(), map[string][]string{}, make(map[string]string, len(from)), make([]string, 0, len(from))
	for _, v := range from {
		starts[v.label] = append(starts[v.label], v.id)
		keys[v.id] = v.key
		all = append(all, v.id)
	}
	for _, spec := range cmdb.Edges {
		if len(starts[string(spec.From)]) == 0 {
			continue
		}
		sql := strings.NewReplacer("{table}", tableOf(r.tenant, string(spec.Type)), "{label}", literal(string(spec.Type)),
			"{to}", tableOf(r.tenant, string(spec.To)), "{key}", literal(store.KeyProperty)).Replace(`
			SELECT e.id::text, {label}::text, e.start_id::text, z.properties ->> {key}::text, ag_catalog.agtype_out(e.properties)::text
			FROM (SELECT * FROM {table} e WHERE e.start_id = ANY($1::ag_catalog.graphid[]) OFFSET 0) e,
				LATERAL (SELECT z.properties FROM {to} z WHERE z.id = e.end_id OFFSET 0) z`)
		queue.Queue(sql, graphids(starts[string(spec.From)])).Query(r.take)
	}
	queue.Queue(`SELECT u.id::text, u.label, u.start_id::text, u.to_key, NULL FROM assim.undo u
		WHERE u.start_id = ANY($1::ag_catalog.graphid[]) AND u.at > $2 AND u.before IS NOT NULL`, graphids(all), r.at).Query(r.take)
	if err := r.read(ctx, tx, queue); err != nil {
		return nil, fmt.Errorf("reading the edges of %d vertices as of %s: %w", len(from), r.at.Format(time.RFC3339), err)
	}
	for id, e := range r.found {
		e.key = keys[e.key]
		r.found[id] = e
	}
	return r.sorted(), nil
}

// graphids is an array as Postgres reads it. Ids are given as an array of their own
// type: what is converted from another is compared only after a row's policy was
// asked, and so by no index.
func graphids(ids []string) string { return "{" + strings.Join(ids, ",") + "}" }

// take notes elements as rows tell of them: first as they are now, then, without
// properties, those that were there at some moment since.
func (r reading) take(rows pgx.Rows) error {
	var e element
	var text []byte
	_, err := pgx.ForEachRow(rows, []any{&e.id, &e.label, &e.key, &e.to, &text}, func() error {
		if _, known := r.found[e.id]; known {
			return nil
		}
		return r.put(e, text)
	})
	return err
}

func (r reading) put(e element, text []byte) (err error) {
	if e.props, err = decode(text); err != nil {
		return fmt.Errorf("%s %.60q: %w", e.label, e.key, err)
	}
	r.found[e.id] = e
	return nil
}

// byIndexes begins a batch of statements that find everything by indexes, whatever
// their arguments: making a plan for each, with all partitions of history, would
// take longer. OFFSET 0 in them keeps each look-up apart: joined, the planner may
// take whole tables for few rows.
func byIndexes() *pgx.Batch {
	queue := &pgx.Batch{}
	queue.Queue(`SET LOCAL plan_cache_mode = force_generic_plan`)
	return queue
}

// read runs what finds elements, and takes them back to the time.
func (r reading) read(ctx context.Context, tx pgx.Tx, queue *pgx.Batch) error {
	if err := tx.SendBatch(ctx, queue).Close(); err != nil {
		return err
	}
	queue = &pgx.Batch{}
	if len(r.found) > 0 {
		queue.Queue(`SELECT DISTINCT ON (u.id) u.id::text, u.before::text FROM assim.undo u
			WHERE u.id = ANY($1::ag_catalog.graphid[]) AND u.at > $2 ORDER BY u.id, u.at, u.step`,
			graphids(slices.Collect(maps.Keys(r.found))), r.at).Query(r.rewind)
	}
	queue.Queue(`SET LOCAL plan_cache_mode = auto`)
	return tx.SendBatch(ctx, queue).Close()
}

// rewind puts each element that changed back to its image of before, or takes it
// out if there was none.
func (r reading) rewind(rows pgx.Rows) error {
	var id string
	var before []byte
	_, err := pgx.ForEachRow(rows, []any{&id, &before}, func() error {
		if before == nil {
			delete(r.found, id)
			return nil
		}
		return r.put(r.found[id], before)
	})
	return err
}

// sorted is what was found, in order of label, keys and id.
func (r reading) sorted() []element {
	return slices.SortedFunc(maps.Values(r.found), func(a, b element) int {
		return strings.Compare(a.label+"\x00"+a.key+"\x00"+a.to+"\x00"+a.id, b.label+"\x00"+b.key+"\x00"+b.to+"\x00"+b.id)
	})
}

// decode reads properties with their numbers as they are written; of nothing, none.
func decode(text []byte) (map[string]any, error) {
	if text == nil {
		return nil, nil
	}
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
