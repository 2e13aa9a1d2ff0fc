package graph

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy/store"
)

// skipImplied takes out of the work what need not be written, with the edges
// that it implies and whatever only these lead to:
//
//   - shared vertices that lost all their edges within the batch, which would be
//     written only to be swept;
//   - what shared vertices imply that are in the graph already: a package set's
//     hundred packages, an endpoint's address.
func (b *batch) skipImplied(ctx context.Context, w *work) error {
	leaving := map[cmdb.Ref]bool{} // shared vertices to which no edge to be put leads
	for ref := range w.goneE {
		if w.into[ref.To] == 0 {
			leaving[ref.To] = true
		}
	}
	for _, label := range sharedInOrder() {
		for ref := range leaving {
			if ref.Label == label {
				delete(w.vertices, ref)
				w.dropImplied(ref, leaving)
			}
		}
		if !leads(label) {
			continue
		}
		known, err := b.known(ctx, label, keysOf(w.vertices, label))
		if err != nil {
			return err
		}
		for _, key := range known {
			w.dropImplied(cmdb.Ref{Label: label, Key: key}, leaving)
		}
	}
	return nil
}

// known returns those of the keys whose vertices are in the graph.
func (b *batch) known(ctx context.Context, label cmdb.Label, keys []string) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	texts, err := keyTexts(label, keys)
	if err != nil {
		return nil, err
	}
	sql := fmt.Sprintf(`SELECT s.key FROM unnest($1::text[], $2::text[]) AS s(agkey, key) JOIN %s t ON %s = s.agkey::ag_catalog.agtype`,
		b.table(string(label)), store.Access("t.properties", store.KeyProperty))
	rows, err := b.tx.Query(ctx, sql, texts, keys)
	if err != nil {
		return nil, fmt.Errorf("looking for known vertices %s: %w", label, err)
	}
	known, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("looking for known vertices %s: %w", label, err)
	}
	return known, nil
}

// leads reports whether a label implies anything: whether an edge leaves it.
func leads(label cmdb.Label) bool {
	for _, e := range cmdb.Edges {
		if e.From == label {
			return true
		}
	}
	return false
}

// dropImplied forgets the edges that leave a shared vertex; the ends to which no
// other edge leads are added to leaving.
func (w *work) dropImplied(from cmdb.Ref, leaving map[cmdb.Ref]bool) {
	for _, ref := range w.from[from] {
		if _, wanted := w.edges[ref]; !wanted {
			continue
		}
		delete(w.edges, ref)
		w.into[ref.To]--
		if w.into[ref.To] == 0 && cmdb.IsShared(ref.To.Label) {
			leaving[ref.To] = true
		}
	}
}
