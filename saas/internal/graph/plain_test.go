package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
)

// plain keeps the same elements in ordinary tables, one per label and edge type,
// with before-images and indexes for the same questions, by the best plain SQL
// that we know. It has no row-level
// security and no key in the properties.
type plain struct{ conn *pgx.Conn }

func newPlain(b *testing.B, conn *pgx.Conn) plain {
	var ddl strings.Builder
	ddl.WriteString(`CREATE SCHEMA plain; CREATE TABLE plain.undo (at timestamptz, label text, key text, to_key text, before jsonb);
		CREATE INDEX ON plain.undo (label, key, at); CREATE INDEX ON plain.undo (at);`)
	for _, v := range cmdb.Vertices {
		fmt.Fprintf(&ddl, `CREATE TABLE plain."%s" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text UNIQUE, props jsonb NOT NULL);`, v.Label)
		for _, property := range v.Index {
			fmt.Fprintf(&ddl, `CREATE INDEX ON plain."%s" ((props ->> '%s'));`, v.Label, property)
		}
	}
	for _, e := range cmdb.Edges {
		fmt.Fprintf(&ddl, `CREATE TABLE plain."%[1]s" (start_id bigint, end_id bigint, props jsonb NOT NULL, PRIMARY KEY (start_id, end_id)); CREATE INDEX ON plain."%[1]s" (end_id, start_id);`, e.Type)
	}
	if _, err := conn.Exec(context.Background(), ddl.String()); err != nil {
		b.Fatal(err)
	}
	return plain{conn}
}

func (p plain) write(b *testing.B, deltas []cmdb.Delta) {
	ctx := context.Background()
	at := time.Now()
	w := merge(deltas)
	err := pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off`); err != nil {
			return err
		}
		queue := &pgx.Batch{}
		byLabel, byType := keysByLabel(w.vertices), edgesByType(w.edges)
		for _, spec := range cmdb.Vertices {
			keys := byLabel[spec.Label]
			if len(keys) == 0 {
				continue
			}
			props := make([]string, len(keys))
			for i, key := range keys {
				props[i] = plainProps(w.vertices[cmdb.Ref{Label: spec.Label, Key: key}])
			}
			queue.Queue(fmt.Sprintf(`
				WITH s AS MATERIALIZED (
					SELECT s.key, s.props::jsonb AS props, t.id, t.props AS before FROM unnest($1::text[], $2::text[]) s(key, props) LEFT JOIN plain."%[1]s" t ON t.key = s.key
				), u AS (UPDATE plain."%[1]s" t SET props = s.props FROM s WHERE t.id = s.id AND s.before <> s.props
				), i AS (INSERT INTO plain."%[1]s" (key, props) SELECT key, props FROM s WHERE id IS NULL)
				INSERT INTO plain.undo SELECT $3, '%[1]s', key, '', before FROM s WHERE id IS NULL OR before <> props`, spec.Label), keys, props, at)
		}
		for _, spec := range cmdb.Edges {
			edges := byType[spec.Type]
			if len(edges) == 0 {
				continue
			}
			var from, to, props []string
			for _, e := range edges {
				from, to, props = append(from, e.From.Key), append(to, e.To.Key), append(props, plainProps(w.edges[e]))
			}
			queue.Queue(fmt.Sprintf(`
				WITH s AS MATERIALIZED (
					SELECT s.a, s.z, s.props::jsonb AS props, a.id AS start_id, z.id AS end_id, t.props AS before
					FROM unnest($1::text[], $2::text[], $3::text[]) s(a, z, props)
					JOIN plain."%[2]s" a ON a.key = s.a JOIN plain."%[3]s" z ON z.key = s.z
					LEFT JOIN plain."%[1]s" t ON t.start_id = a.id AND t.end_id = z.id
				), u AS (UPDATE plain."%[1]s" t SET props = s.props FROM s WHERE t.start_id = s.start_id AND t.end_id = s.end_id AND s.before <> s.props
				), i AS (INSERT INTO plain."%[1]s" SELECT start_id, end_id, props FROM s WHERE before IS NULL)
				INSERT INTO plain.undo SELECT $4, '%[1]s', a, z, before FROM s WHERE before IS NULL OR before <> props`,
				spec.Type, spec.From, spec.To), from, to, props, at)
		}
		return tx.SendBatch(ctx, queue).Close()
	})
	if err != nil {
		b.Fatal(err)
	}
}

func plainProps(props map[string]any) string {
	if props == nil {
		return "{}"
	}
	text, err := json.Marshal(props)
	if err != nil {
		panic(err)
	}
	return string(text)
}
