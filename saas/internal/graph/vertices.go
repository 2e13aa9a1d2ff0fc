package graph

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy/store"
)

// jsonOf turns a label table's properties into jsonb; AGE 1.5 has no cast.
const jsonOf = `ag_catalog.agtype_out(%s)::text::jsonb`

// putVerticesSQL upserts the vertices of one label. Rows that already say what is wanted
// are not written: an update costs a row version, index entries and history. A
// row is found again by its place, which nobody else can change: there is one
// writer.
//
//	$1 keys as agtype, $2 properties as agtype, $3 keys, $4 label id, $5 tenant, $6 at
func putVerticesSQL(table, label, sequence string) string {
	return fmt.Sprintf(`
		WITH s AS MATERIALIZED (
			SELECT s.key, s.props, coalesce(t.id, ag_catalog._graphid($4, nextval(%[3]s))) AS id, t.ctid AS place,
				t.properties AS before, coalesce(t.properties <> s.props, true) AS differs
			FROM (SELECT key, agkey::ag_catalog.agtype, props::ag_catalog.agtype FROM unnest($1::text[], $2::text[], $3::text[]) AS a(agkey, props, key)) s
			LEFT JOIN %[1]s t ON %[2]s = s.agkey
		), u AS (
			UPDATE %[1]s t SET properties = s.props FROM s WHERE t.ctid = s.place AND s.differs
		), i AS (
			INSERT INTO %[1]s (id, properties)
			SELECT id, props FROM s WHERE place IS NULL
		), h AS (
			INSERT INTO assim.undo (tenant, at, step, label, key, id, before)
			SELECT $5, $6, %[4]d, %[5]s, key, id, %[6]s FROM s WHERE differs
		)
		SELECT count(*) FILTER (WHERE place IS NULL), count(*) FILTER (WHERE place IS NOT NULL AND differs), count(*) FILTER (WHERE NOT differs) FROM s`,
		table, store.Access("t.properties", store.KeyProperty), sequence, stepPut, literal(label), fmt.Sprintf(jsonOf, "before"))
}

func (b *batch) putVertices(queue *pgx.Batch, w *work) error {
	byLabel := keysByLabel(w.vertices)
	for _, spec := range cmdb.Vertices {
		keys := byLabel[spec.Label]
		if len(keys) == 0 {
			continue
		}
		texts, err := keyTexts(spec.Label, keys)
		if err != nil {
			return err
		}
		props := make([]string, len(keys))
		for i, key := range keys {
			props[i], err = properties(key, w.vertices[cmdb.Ref{Label: spec.Label, Key: key}])
			if err != nil {
				return fmt.Errorf("%s %.60q: %w", spec.Label, key, err)
			}
		}
		label := string(spec.Label)
		sql := putVerticesSQL(b.table(label), label, b.sequence(label))
		queue.Queue(sql, texts, props, keys, b.labels[label], b.tenant, b.at).QueryRow(func(row pgx.Row) error {
			var created, changed, same int64
			if err := row.Scan(&created, &changed, &same); err != nil {
				return fmt.Errorf("putting %d vertices %s: %w", len(keys), label, err)
			}
			b.stats.Vertices.add(created, changed, same)
			return nil
		})
	}
	return nil
}

// removeVertices deletes what nobody asserts any more, and first the edges that
// touch it.
func (b *batch) removeVertices(ctx context.Context, w *work) error {
	byLabel := keysByLabel(w.goneV)
	for _, spec := range cmdb.Vertices {
		keys := byLabel[spec.Label]
		if len(keys) == 0 {
			continue
		}
		texts, err := keyTexts(spec.Label, keys)
		if err != nil {
			return err
		}
		sql := fmt.Sprintf(`SELECT t.id::text::bigint FROM unnest($1::text[]) AS s(agkey) JOIN %s t ON %s = s.agkey::ag_catalog.agtype`,
			b.table(string(spec.Label)), store.Access("t.properties", store.KeyProperty))
		rows, err := b.tx.Query(ctx, sql, texts)
		if err != nil {
			return fmt.Errorf("finding vertices %s: %w", spec.Label, err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return fmt.Errorf("finding vertices %s: %w", spec.Label, err)
		}
		if err := b.deleteVertices(ctx, spec.Label, ids, stepRemove); err != nil {
			return err
		}
	}
	return nil
}

// deleteVertices deletes vertices of one label by id, with their edges.
func (b *batch) deleteVertices(ctx context.Context, label cmdb.Label, ids []int64, step int) error {
	if len(ids) == 0 {
		return nil
	}
	for _, e := range cmdb.Edges {
		if e.From == label {
			if err := b.deleteEdgesAt(ctx, e, "start_id", ids, step); err != nil {
				return err
			}
		}
		if e.To == label {
			if err := b.deleteEdgesAt(ctx, e, "end_id", ids, step); err != nil {
				return err
			}
		}
	}
	sql := fmt.Sprintf(`
		WITH d AS (DELETE FROM %[1]s t USING unnest($1::text[]) AS s(id) WHERE t.id = s.id::ag_catalog.graphid RETURNING t.id, t.properties)
		INSERT INTO assim.undo (tenant, at, step, label, key, id, before)
		SELECT $2, $3, $4, %[2]s, properties ->> %[3]s::text, id, %[4]s FROM d`,
		b.table(string(label)), literal(string(label)), literal(store.KeyProperty), fmt.Sprintf(jsonOf, "properties"))
	tag, err := b.tx.Exec(ctx, sql, idTexts(ids), b.tenant, b.at, step)
	if err != nil {
		return fmt.Errorf("deleting %d vertices %s: %w", len(ids), label, err)
	}
	b.stats.Vertices.Gone += tag.RowsAffected()
	return nil
}

// sequence is the SQL constant that names a label's sequence.
func (b *batch) sequence(label string) string { return literal(b.table(label + "_id_seq")) }

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
