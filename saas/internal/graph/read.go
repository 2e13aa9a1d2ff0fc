package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Each calls vertex with every vertex of the tenant's graph and then edge with
// every edge, for comparison with what the facts say. It sees nothing of what
// Clean removes.
func Each(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, vertex func(cmdb.Vertex), edge func(cmdb.Edge)) error {
	graph := store.Graph(tenant)
	for _, spec := range cmdb.Vertices {
		rows, err := tx.Query(ctx, `SELECT ag_catalog.agtype_out(properties)::text FROM `+tableOf(graph, string(spec.Label))+
			` WHERE properties ->> `+literal(store.KeyProperty)+`::text <> ''`)
		if err != nil {
			return fmt.Errorf("reading vertices %s: %w", spec.Label, err)
		}
		var text []byte
		_, err = pgx.ForEachRow(rows, []any{&text}, func() error {
			props, err := decodeProperties(text)
			if err != nil {
				return err
			}
			key, _ := props[store.KeyProperty].(string)
			delete(props, store.KeyProperty)
			vertex(cmdb.Vertex{Ref: cmdb.Ref{Label: spec.Label, Key: key}, Props: props})
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading vertices %s: %w", spec.Label, err)
		}
	}
	for _, spec := range cmdb.Edges {
		sql := fmt.Sprintf(`SELECT a.properties ->> %[4]s::text, z.properties ->> %[4]s::text, ag_catalog.agtype_out(e.properties)::text
			FROM %[1]s e JOIN %[2]s a ON a.id = e.start_id JOIN %[3]s z ON z.id = e.end_id
			WHERE a.properties ->> %[4]s::text <> '' AND z.properties ->> %[4]s::text <> ''`,
			tableOf(graph, string(spec.Type)), tableOf(graph, string(spec.From)), tableOf(graph, string(spec.To)), literal(store.KeyProperty))
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return fmt.Errorf("reading edges %s: %w", spec.Type, err)
		}
		var from, to string
		var text []byte
		_, err = pgx.ForEachRow(rows, []any{&from, &to, &text}, func() error {
			props, err := decodeProperties(text)
			if err != nil {
				return err
			}
			edge(cmdb.Edge{Type: spec.Type, From: cmdb.Ref{Label: spec.From, Key: from}, To: cmdb.Ref{Label: spec.To, Key: to}, Props: props})
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading edges %s: %w", spec.Type, err)
		}
	}
	return nil
}

// decodeProperties reads back what properties wrote. What else it may find is
// kept as it is, so that it differs from whatever the facts say.
func decodeProperties(text []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var raw map[string]any
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("properties %.60q: %w", text, err)
	}
	for name, v := range raw {
		raw[name] = property(v)
	}
	return raw, nil
}

func property(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
	case []any:
		return propertyList(v)
	}
	return v
}

func propertyList(list []any) any {
	var texts []string
	var numbers []int64
	for _, item := range list {
		switch item := property(item).(type) {
		case string:
			texts = append(texts, item)
		case int64:
			numbers = append(numbers, item)
		}
	}
	switch len(list) {
	case len(texts):
		return texts
	case len(numbers):
		return numbers
	}
	return list
}

// Clean removes what only damage can leave and no delta can name: vertices
// without a key, and edges without a start or an end. It returns how many there
// were. Undo, which goes by keys, cannot hold them.
func Clean(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) (removed int64, err error) {
	graph := store.Graph(tenant)
	for _, spec := range cmdb.Vertices {
		sql := fmt.Sprintf(`DELETE FROM %s WHERE coalesce(properties ->> %s::text, '') = ''`,
			tableOf(graph, string(spec.Label)), literal(store.KeyProperty))
		tag, err := tx.Exec(ctx, sql)
		if err != nil {
			return removed, fmt.Errorf("removing vertices %s without a key: %w", spec.Label, err)
		}
		removed += tag.RowsAffected()
	}
	for _, spec := range cmdb.Edges {
		sql := fmt.Sprintf(`DELETE FROM %s e WHERE NOT EXISTS (SELECT FROM %s a WHERE a.id = e.start_id) OR NOT EXISTS (SELECT FROM %s z WHERE z.id = e.end_id)`,
			tableOf(graph, string(spec.Type)), tableOf(graph, string(spec.From)), tableOf(graph, string(spec.To)))
		tag, err := tx.Exec(ctx, sql)
		if err != nil {
			return removed, fmt.Errorf("removing edges %s without an end: %w", spec.Type, err)
		}
		removed += tag.RowsAffected()
	}
	return removed, nil
}
