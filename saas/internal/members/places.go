package members

import (
	"context"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// whereIs finds the sites of what a path may name; a name that several things
// have gives several.
var whereIs = map[string]string{
	"site":  `SELECT id FROM assim.sites WHERE id::text = lower($1) OR name = $1`,
	"host":  `SELECT DISTINCT site FROM assim.hosts WHERE id = assim.as_id($1) OR name_lower = lower($1)`,
	"relay": `SELECT site FROM assim.relays WHERE id::text = lower($1)`,
	"token": `SELECT site FROM assim.tokens WHERE id = $1`,
}

// SiteOf implements web.Places.
func (s *Service) SiteOf(ctx context.Context, tenant tenancy.TenantID, parameter, value string) (site tenancy.SiteID, ok bool, err error) {
	var all []tenancy.SiteID
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, whereIs[parameter], value)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowTo[tenancy.SiteID])
		}
		return err
	})
	if err != nil || len(all) != 1 {
		return site, false, err
	}
	return all[0], true, nil
}
