package graph

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy/store"
)

// putEdgesSQL upserts the edges of one type by joining both ends on their keys:
// an edge without an end would break every path query of the graph.
//
//	$1, $2 keys of the ends as agtype, $3 properties as agtype, $4, $5 keys of
//	the ends, $6 label id, $7 tenant, $8 at
func (b *batch) putEdgesSQL(e cmdb.EdgeSpec) string {
	return fmt.Sprintf(`
		WITH s AS MATERIALIZED (
			SELECT s.start_key, s.end_key, s.props, a.id AS start_id, z.id AS end_id
			FROM (SELECT start_key, end_key, agstart::ag_catalog.agtype, agend::ag_catalog.agtype, props::ag_catalog.agtype
				FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS a(agstart, agend, props, start_key, end_key)) s
			LEFT JOIN %[2]s a ON %[3]s = s.agstart
			LEFT JOIN %[4]s z ON %[5]s = s.agend
		), x AS MATERIALIZED (
			SELECT s.*, coalesce(t.id, ag_catalog._graphid($6, nextval(%[6]s))) AS id, t.ctid AS place,
				t.properties AS before, coalesce(t.properties <> s.props, true) AS differs
			FROM s LEFT JOIN %[1]s t ON t.start_id = s.start_id AND t.end_id = s.end_id
		), u AS (
			UPDATE %[1]s t SET properties = x.props FROM x WHERE t.ctid = x.place AND x.differs
		), i AS (
			INSERT INTO %[1]s (id, start_id, end_id, properties)
			SELECT id, start_id, end_id, props FROM x WHERE place IS NULL AND start_id IS NOT NULL AND end_id IS NOT NULL
		), h AS (
			INSERT INTO assim.undo (tenant, at, step, label, key, to_key, from_label, to_label, id, start_id, end_id, before)
			SELECT $7, $8, %[7]d, %[8]s, start_key, end_key, %[9]s, %[10]s, id, start_id, end_id, %[11]s FROM x WHERE differs
		)
		SELECT count(*) FILTER (WHERE place IS NULL), count(*) FILTER (WHERE place IS NOT NULL AND differs), count(*) FILTER (WHERE NOT differs),
			min(CASE WHEN start_id IS NULL THEN start_key END), min(CASE WHEN end_id IS NULL THEN end_key END)
		FROM x`,
		b.table(string(e.Type)),
		b.table(string(e.From)), store.Access("a.properties", store.KeyProperty),
		b.table(string(e.To)), store.Access("z.properties", store.KeyProperty),
		b.sequence(string(e.Type)), stepPut, literal(string(e.Type)), literal(string(e.From)), literal(string(e.To)),
		fmt.Sprintf(jsonOf, "before"))
}

// MissingEnd is the error of an edge whose start or end is not in the graph.
type MissingEnd struct {
	Type cmdb.EdgeType
	End  cmdb.Ref
}

func (e *MissingEnd) Error() string {
	return fmt.Sprintf("edge %s: no %s with key %.200q", e.Type, e.End.Label, e.End.Key)
}

func (b *batch) putEdges(queue *pgx.Batch, w *work) error {
	byType := edgesByType(w.edges)
	for _, spec := range cmdb.Edges {
		edges := byType[spec.Type]
		if len(edges) == 0 {
			continue
		}
		ends, err := endsOf(spec, edges)
		if err != nil {
			return err
		}
		props := make([]string, len(edges))
		for i, ref := range edges {
			if props[i], err = properties("", w.edges[ref]); err != nil {
				return fmt.Errorf("edge %s of %.60q: %w", spec.Type, ref.From.Key, err)
			}
		}
		queue.Queue(b.putEdgesSQL(spec), ends.agStart, ends.agEnd, props, ends.start, ends.end, b.labels[string(spec.Type)], b.tenant, b.at).
			QueryRow(func(row pgx.Row) error {
				var created, changed, same int64
				var noStart, noEnd *string
				if err := row.Scan(&created, &changed, &same, &noStart, &noEnd); err != nil {
					return fmt.Errorf("putting %d edges %s: %w", len(edges), spec.Type, err)
				}
				if noStart != nil {
					return &MissingEnd{spec.Type, cmdb.Ref{Label: spec.From, Key: *noStart}}
				}
				if noEnd != nil {
					return &MissingEnd{spec.Type, cmdb.Ref{Label: spec.To, Key: *noEnd}}
				}
				b.stats.Edges.add(created, changed, same)
				return nil
			})
	}
	return nil
}

// removeEdges deletes the edges that are no longer asserted. The vertices they
// pointed at may be swept, whether the edge was there or not: it may have been
// put and taken back within one batch.
func (b *batch) removeEdges(ctx context.Context, w *work) error {
	byType := edgesByType(w.goneE)
	for _, spec := range cmdb.Edges {
		edges := byType[spec.Type]
		if len(edges) == 0 {
			continue
		}
		ends, err := endsOf(spec, edges)
		if err != nil {
			return err
		}
		sql := fmt.Sprintf(`
			WITH s AS MATERIALIZED (
				SELECT s.start_key, s.end_key, a.id AS start_id, z.id AS end_id
				FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS s(agstart, agend, start_key, end_key)
				JOIN %[4]s z ON %[5]s = s.agend::ag_catalog.agtype
				LEFT JOIN %[2]s a ON %[3]s = s.agstart::ag_catalog.agtype
			), d AS (
				DELETE FROM %[1]s t USING s WHERE t.start_id = s.start_id AND t.end_id = s.end_id
				RETURNING s.start_key, s.end_key, t.id, t.start_id, t.end_id, t.properties
			), h AS (
				INSERT INTO assim.undo (tenant, at, step, label, key, to_key, from_label, to_label, id, start_id, end_id, before)
				SELECT $5, $6, %[6]d, %[7]s, start_key, end_key, %[8]s, %[9]s, id, start_id, end_id, %[10]s FROM d
			)
			SELECT DISTINCT s.end_id::text::bigint, (SELECT count(*) FROM d) FROM s`,
			b.table(string(spec.Type)),
			b.table(string(spec.From)), store.Access("a.properties", store.KeyProperty),
			b.table(string(spec.To)), store.Access("z.properties", store.KeyProperty),
			stepRemove, literal(string(spec.Type)), literal(string(spec.From)), literal(string(spec.To)),
			fmt.Sprintf(jsonOf, "properties"))
		rows, err := b.tx.Query(ctx, sql, ends.agStart, ends.agEnd, ends.start, ends.end, b.tenant, b.at)
		if err != nil {
			return fmt.Errorf("deleting %d edges %s: %w", len(edges), spec.Type, err)
		}
		var end, deleted int64
		if _, err := pgx.ForEachRow(rows, []any{&end, &deleted}, func() error { b.mayBeSwept(spec.To, end); return nil }); err != nil {
			return fmt.Errorf("deleting %d edges %s: %w", len(edges), spec.Type, err)
		}
		b.stats.Edges.Gone += deleted
	}
	return nil
}

// deleteEdgesAt deletes the edges of one type that start, or end, at vertices
// which are about to go.
func (b *batch) deleteEdgesAt(ctx context.Context, e cmdb.EdgeSpec, column string, ids []int64, step int) error {
	sql := fmt.Sprintf(`
		WITH d AS MATERIALIZED (
			DELETE FROM %[1]s t USING unnest($1::text[]) AS s(id) WHERE t.%[2]s = s.id::ag_catalog.graphid
			RETURNING t.id, t.start_id, t.end_id, t.properties
		), h AS (
			INSERT INTO assim.undo (tenant, at, step, label, key, to_key, from_label, to_label, id, start_id, end_id, before)
			SELECT $2, $3, $4, %[5]s, a.properties ->> %[8]s::text, z.properties ->> %[8]s::text, %[6]s, %[7]s, d.id, d.start_id, d.end_id, %[9]s
			FROM d JOIN %[3]s a ON a.id = d.start_id JOIN %[4]s z ON z.id = d.end_id
		)
		SELECT end_id::text::bigint FROM d`,
		b.table(string(e.Type)), column, b.table(string(e.From)), b.table(string(e.To)),
		literal(string(e.Type)), literal(string(e.From)), literal(string(e.To)), literal(store.KeyProperty),
		fmt.Sprintf(jsonOf, "d.properties"))
	rows, err := b.tx.Query(ctx, sql, idTexts(ids), b.tenant, b.at, step)
	if err != nil {
		return fmt.Errorf("deleting edges %s of %d vertices: %w", e.Type, len(ids), err)
	}
	var end int64
	_, err = pgx.ForEachRow(rows, []any{&end}, func() error {
		b.stats.Edges.Gone++
		b.mayBeSwept(e.To, end)
		return nil
	})
	if err != nil {
		return fmt.Errorf("deleting edges %s of %d vertices: %w", e.Type, len(ids), err)
	}
	return nil
}

// ends are the keys of both ends of a list of edges, plain and as agtype.
type ends struct{ agStart, agEnd, start, end []string }

func endsOf(spec cmdb.EdgeSpec, edges []cmdb.EdgeRef) (ends, error) {
	var e ends
	for _, ref := range edges {
		if ref.From.Label != spec.From || ref.To.Label != spec.To {
			return ends{}, fmt.Errorf("edge %s leads from %s to %s, not from %s to %s",
				spec.Type, ref.From.Label, ref.To.Label, spec.From, spec.To)
		}
		start, err := keyText(ref.From)
		if err != nil {
			return ends{}, err
		}
		end, err := keyText(ref.To)
		if err != nil {
			return ends{}, err
		}
		e.agStart, e.agEnd = append(e.agStart, start), append(e.agEnd, end)
		e.start, e.end = append(e.start, ref.From.Key), append(e.end, ref.To.Key)
	}
	return e, nil
}

// idTexts writes graph ids as text, the only form that casts to graphid.
func idTexts(ids []int64) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	return texts
}
