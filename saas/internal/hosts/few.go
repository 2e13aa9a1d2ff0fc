package hosts

import (
	"context"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Few shows the first hosts of a site by name, at most limit: enough for a site
// that is new.
func (s *Service) Few(ctx context.Context, tx pgx.Tx, site tenancy.SiteID, limit int) (templ.Component, error) {
	hosts, _, err := listHosts(ctx, tx, Filter{Site: site.String(), Limit: limit})
	return fewTable(hosts), err
}
