package ingest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
)

// Rename gives a host the name by which people know it from now on, whatever it
// calls itself; "" gives it its own again. It runs in a writer's transaction of the
// tenant and makes it the tenant's only one. It returns the name.
func (s *Service) Rename(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, id tenancy.HostID, name string) (string, error) {
	at, err := lock(ctx, tx, tenant)
	if err != nil {
		return "", err
	}
	rows, err := tx.Query(ctx, selectHosts+` WHERE h.id = $1`, id)
	if err != nil {
		return "", fmt.Errorf("reading host %s: %w", id, err)
	}
	h, err := pgx.CollectExactlyOneRow(rows, scanHost)
	if err != nil {
		return "", fmt.Errorf("reading host %s: %w", id, err)
	}
	switch {
	case name == "" && h.OwnName != "":
		h.Name, h.OwnName = h.OwnName, ""
	case name != "" && h.OwnName == "":
		h.Name, h.OwnName = name, h.Name
	case name != "":
		h.Name = name
	}
	if _, err := tx.Exec(ctx, `UPDATE assim.hosts SET name = $2, own_name = $3 WHERE id = $1`, id, h.Name, h.OwnName); err != nil {
		return "", fmt.Errorf("renaming host %s: %w", id, err)
	}
	if h.Retired {
		return h.Name, nil
	}
	if _, err := s.graph.Apply(ctx, tx, tenant, []cmdb.Delta{cmdb.Diff(h.elements, h.project())}, at); err != nil {
		return "", fmt.Errorf("renaming host %s in the graph: %w", id, err)
	}
	return h.Name, nil
}
