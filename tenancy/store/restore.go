package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Label is a label of a tenant's graph. The id is part of the ids of all its
// rows, and of those in the history.
type Label struct {
	Name string `json:"name"`
	ID   int32  `json:"id"`
	Edge bool   `json:"edge"`
}

// PrepareGraph makes a tenant's graph with labels of given ids, in their order,
// and without indexes and rights: rows that come by the million come first. conn
// is the administrator's.
func PrepareGraph(ctx context.Context, conn *pgx.Conn, tenant tenancy.TenantID, labels []Label) error {
	graph := Graph(tenant)
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL search_path = pg_catalog, ag_catalog; SET LOCAL client_min_messages = 'warning';
			SELECT ag_catalog.create_graph(`+literal(graph)+`)`); err != nil {
			return err
		}
		for _, l := range labels {
			make := "create_vlabel"
			if l.Edge {
				make = "create_elabel"
			}
			// AGE takes the next number that is free.
			_, err := tx.Exec(ctx, fmt.Sprintf(`SELECT setval(%s, %d, false); SELECT ag_catalog.%s(%s, %s)`,
				literal(quote(graph, "_label_id_seq")), l.ID, make, literal(graph), literal(l.Name)))
			if err != nil {
				return fmt.Errorf("label %s: %w", l.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("making graph %s: %w", graph, err)
	}
	return nil
}

// CompleteGraph gives a graph what PrepareGraph left out, and the tenant its roles
// without anybody who may take them: Migrate says who.
func CompleteGraph(ctx context.Context, conn *pgx.Conn, tenant tenancy.TenantID) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, accessLock); err != nil {
			return err
		}
		for _, role := range []string{readerRole(tenant), writerRole(tenant)} {
			if err := ensureRole(ctx, tx, role, "NOLOGIN"); err != nil {
				return err
			}
		}
		return ensureGraph(ctx, tx, Graph(tenant))
	})
	if err != nil {
		return fmt.Errorf("completing the graph of tenant %s: %w", tenant, err)
	}
	return nil
}
