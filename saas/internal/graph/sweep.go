package graph

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
)

// sweep deletes the shared vertices among the candidates that no edge points at,
// and the edges that leave them, whose ends are candidates in turn. Labels come
// in such an order that an edge between shared vertices leads forward.
func (b *batch) sweep(ctx context.Context, _ *work) error {
	for _, label := range sharedInOrder() {
		candidates := b.swept[label]
		if len(candidates) == 0 {
			continue
		}
		var untouched strings.Builder
		for _, e := range cmdb.Edges {
			if e.To == label {
				fmt.Fprintf(&untouched, " AND NOT EXISTS (SELECT FROM %s e WHERE e.end_id = t.id)", b.table(string(e.Type)))
			}
		}
		ids := make([]int64, 0, len(candidates))
		for id := range candidates {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		sql := fmt.Sprintf(`SELECT t.id::text::bigint FROM unnest($1::text[]) AS s(id) JOIN %s t ON t.id = s.id::ag_catalog.graphid WHERE true%s`,
			b.table(string(label)), untouched.String())
		rows, err := b.tx.Query(ctx, sql, idTexts(ids))
		if err != nil {
			return fmt.Errorf("looking for vertices %s without an edge: %w", label, err)
		}
		orphans, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return fmt.Errorf("looking for vertices %s without an edge: %w", label, err)
		}
		if err := b.deleteVertices(ctx, label, orphans, stepSweep); err != nil {
			return err
		}
	}
	return nil
}

// sharedInOrder lists the shared labels, each before those it leads to.
func sharedInOrder() []cmdb.Label {
	var order []cmdb.Label
	placed := map[cmdb.Label]bool{}
	var place func(cmdb.Label)
	place = func(label cmdb.Label) {
		if placed[label] || !cmdb.IsShared(label) {
			return
		}
		placed[label] = true
		for _, e := range cmdb.Edges {
			if e.To == label {
				place(e.From)
			}
		}
		order = append(order, label)
	}
	for _, v := range cmdb.Vertices {
		place(v.Label)
	}
	return order
}
