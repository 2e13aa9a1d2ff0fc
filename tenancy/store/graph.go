package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
)

// KeyProperty is the property that holds a vertex's natural key.
const KeyProperty = "key"

// Access is the SQL expression of one property of a label table's row, as AGE's
// planner writes it: only an index over this very expression serves both
// MATCH (n {key: ...}) and our own SQL.
func Access(column, property string) string {
	return `ag_catalog.agtype_access_operator(VARIADIC ARRAY[` + column + `, '"` + property + `"'::ag_catalog.agtype])`
}

// ensureGraph makes the graph with all labels of cmdb, or what is missing of it,
// and gives the tenant's roles their rights on it. Data never makes a label.
func ensureGraph(ctx context.Context, tx pgx.Tx, graph string) error {
	// AGE 1.8 names its operator classes without their schema.
	if _, err := tx.Exec(ctx, `SET LOCAL search_path = pg_catalog, ag_catalog; SET LOCAL client_min_messages = 'warning'`); err != nil {
		return err
	}
	var exists bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ag_catalog.ag_graph WHERE name = $1)`, graph).Scan(&exists)
	if err != nil {
		return err
	}
	if !exists {
		if _, err := tx.Exec(ctx, `SELECT ag_catalog.create_graph(`+literal(graph)+`)`); err != nil {
			return fmt.Errorf("creating graph %s: %w", graph, err)
		}
	}
	if err := ensureLabels(ctx, tx, graph); err != nil {
		return fmt.Errorf("making the labels of graph %s: %w", graph, err)
	}
	keyed, err := namesOf(ctx, tx, `SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid
		WHERE c.relnamespace = $1::regnamespace AND k.contype = 'p'`, graph)
	if err != nil {
		return err
	}
	var script strings.Builder
	for _, v := range cmdb.Vertices {
		writeVertexIndexes(&script, graph, v, keyed[string(v.Label)])
	}
	for _, e := range cmdb.Edges {
		writeEdgeIndexes(&script, graph, string(e.Type))
	}
	for _, role := range []struct{ name, tables, sequences string }{
		{"r_" + strings.TrimPrefix(graph, "g_"), "SELECT", ""},
		{"w_" + strings.TrimPrefix(graph, "g_"), "SELECT, INSERT, UPDATE, DELETE", "USAGE"},
	} {
		fmt.Fprintf(&script, "GRANT USAGE ON SCHEMA %[1]s TO %[2]s; GRANT %[3]s ON ALL TABLES IN SCHEMA %[1]s TO %[2]s;\n",
			quote(graph), quote(role.name), role.tables)
		if role.sequences != "" {
			fmt.Fprintf(&script, "GRANT %[3]s ON ALL SEQUENCES IN SCHEMA %[1]s TO %[2]s;\n", quote(graph), quote(role.name), role.sequences)
		}
	}
	if _, err := tx.Exec(ctx, script.String()); err != nil {
		return fmt.Errorf("making the indexes of graph %s: %w", graph, err)
	}
	if err := guardLabelIDs(ctx, tx, graph); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `RESET search_path; RESET client_min_messages`)
	return err
}

// ensureLabels makes the tables of labels that are missing.
func ensureLabels(ctx context.Context, tx pgx.Tx, graph string) error {
	have, err := namesOf(ctx, tx, `SELECT l.name::text FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph WHERE g.name = $1`, graph)
	if err != nil {
		return err
	}
	var script strings.Builder
	for _, v := range cmdb.Vertices {
		if !have[string(v.Label)] {
			fmt.Fprintf(&script, "SELECT ag_catalog.create_vlabel(%s, %s);\n", literal(graph), literal(string(v.Label)))
		}
	}
	for _, e := range cmdb.Edges {
		if !have[string(e.Type)] {
			fmt.Fprintf(&script, "SELECT ag_catalog.create_elabel(%s, %s);\n", literal(graph), literal(string(e.Type)))
		}
	}
	_, err = tx.Exec(ctx, script.String())
	return err
}

func namesOf(ctx context.Context, tx pgx.Tx, query, graph string) (map[string]bool, error) {
	rows, err := tx.Query(ctx, query, graph)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set, nil
}

// writeVertexIndexes makes the indexes that reads and the writer need. keyed: AGE
// makes a primary key of the id itself, as it does since 1.7.
func writeVertexIndexes(b *strings.Builder, graph string, v cmdb.VertexSpec, keyed bool) {
	table := quote(graph, string(v.Label))
	if !keyed {
		fmt.Fprintf(b, "CREATE UNIQUE INDEX IF NOT EXISTS %s ON %s (id);\n", quote(string(v.Label)+"_by_id"), table)
	}
	fmt.Fprintf(b, "CREATE UNIQUE INDEX IF NOT EXISTS %s ON %s (%s);\n",
		quote(string(v.Label)+"_by_key"), table, Access("properties", KeyProperty))
	for _, property := range v.Index {
		fmt.Fprintf(b, "CREATE INDEX IF NOT EXISTS %s ON %s (%s);\n",
			quote(string(v.Label)+"_by_"+property), table, Access("properties", property))
	}
}

// writeEdgeIndexes makes indexes that lead from either end to the other. Those
// that AGE makes since 1.7 hold one end only, and would be paid for at each write.
func writeEdgeIndexes(b *strings.Builder, graph, edge string) {
	table := quote(graph, edge)
	fmt.Fprintf(b, "DROP INDEX IF EXISTS %s, %s;\n", quote(graph, edge+"_start_id_idx"), quote(graph, edge+"_end_id_idx"))
	fmt.Fprintf(b, "CREATE UNIQUE INDEX IF NOT EXISTS %s ON %s (id);\n", quote(edge+"_by_id"), table)
	fmt.Fprintf(b, "CREATE UNIQUE INDEX IF NOT EXISTS %s ON %s (start_id, end_id);\n", quote(edge+"_by_start"), table)
	fmt.Fprintf(b, "CREATE INDEX IF NOT EXISTS %s ON %s (end_id, start_id);\n", quote(edge+"_by_end"), table)
}

// guardLabelIDs makes Postgres refuse a row whose id names another label: on such
// a row AGE 1.5 crashes the whole server.
func guardLabelIDs(ctx context.Context, tx pgx.Tx, graph string) error {
	rows, err := tx.Query(ctx, `
		SELECT l.name::text, l.id
		FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph
		WHERE g.name = $1 AND l.name NOT LIKE '\_ag\_label\_%'
		  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = l.relation AND c.conname = 'id_of_label')`, graph)
	if err != nil {
		return err
	}
	type label struct {
		Name string
		ID   int32
	}
	labels, err := pgx.CollectRows(rows, pgx.RowToStructByPos[label])
	if err != nil {
		return err
	}
	for _, l := range labels {
		check := fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT id_of_label CHECK (ag_catalog._extract_label_id(id) = %d)", quote(graph, l.Name), l.ID)
		if _, err := tx.Exec(ctx, check); err != nil {
			return fmt.Errorf("guarding label %s: %w", l.Name, err)
		}
	}
	return nil
}

// literal quotes a string constant of a statement that takes no parameters.
func literal(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
