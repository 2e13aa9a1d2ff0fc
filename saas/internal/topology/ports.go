package topology

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// maxAsked is how many sites one question about all of them asks.
const maxAsked = 100

// Ports asks the sites that keep their topology for the switch ports of a host,
// or of all (""), as rows of the query allswitchports.
func (s *Service) Ports(ctx context.Context, actor web.Actor, host string) (rows []map[string]any, err error) {
	var sites []string
	err = s.DB.Read(ctx, actor.Tenant, func(tx pgx.Tx) error {
		found, err := tx.Query(ctx, `
			SELECT s.id::text FROM assim.sites s
			WHERE s.residency = 'site' AND EXISTS (SELECT FROM assim.relays r WHERE r.site = s.id AND r.revoked_at IS NULL)
				AND ($1 = '' OR EXISTS (SELECT FROM assim.hosts h WHERE h.site = s.id AND h.id::text = $1))
			ORDER BY s.created_at, s.id LIMIT $2`, host, maxAsked)
		if err != nil {
			return err
		}
		sites, err = pgx.CollectRows(found, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the sites to ask: %w", err)
	}
	for _, site := range sites {
		t, err := s.Ask(ctx, actor, site)
		if err != nil {
			return nil, err
		}
		rows = append(rows, portRows(t, host)...)
	}
	return rows, nil
}

func portRows(t uplink.Topology, host string) (rows []map[string]any) {
	hosts := map[tenancy.HostID]uplink.TopologyHost{}
	for _, h := range t.Hosts {
		hosts[h.Host] = h
	}
	for _, s := range t.Switches {
		for _, p := range s.Ports {
			h := hosts[p.Host]
			if host != "" && h.Host.String() != host {
				continue
			}
			row := map[string]any{
				"host": h.Name, "state": h.State, "interface": p.Interface, "switch": orNull(s.Name), "chassis": s.Chassis, "port": p.Port,
				"description": orNull(p.Description), "vlan": nil, "protocol": p.Protocol,
			}
			if p.VLAN != 0 {
				row["vlan"] = p.VLAN
			}
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b map[string]any) int {
		return cmp.Or(cmp.Compare(a["chassis"].(string), b["chassis"].(string)), cmp.Compare(a["port"].(string), b["port"].(string)))
	})
	return rows
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
