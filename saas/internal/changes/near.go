package changes

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Bounds of a neighbourhood.
const (
	maxHops   = 4
	maxNear   = 1000 // hosts; what everybody uses has everybody for a neighbour
	nearSince = 24 * time.Hour
)

// vicinity is a host and those that depend on it or that it depends on, directly
// or through others, each with its distance; the nearest come first.
type vicinity struct {
	hosts     []string
	distances []int32
}

// around walks from a host along dependencies, in both directions.
func around(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, ref string, hops int) (vicinity, error) {
	found, err := hostsNamed(ctx, tx, ref)
	switch {
	case err != nil:
		return vicinity{}, err
	case len(found) == 0:
		return vicinity{}, huma.Error404NotFound("there is no such host")
	case len(found) > 1:
		return vicinity{}, web.NewProblem(http.StatusConflict, web.AmbiguousName, "several hosts have this name; use the id")
	}
	v := vicinity{hosts: found, distances: []int32{0}}
	met := map[string]bool{found[0]: true}
	sql := neighboursSQL(store.Graph(tenant))
	for distance, edge := 1, found; distance <= hops && len(edge) > 0; distance++ {
		rows, err := tx.Query(ctx, sql, edge, maxNear+len(v.hosts))
		if err != nil {
			return vicinity{}, fmt.Errorf("looking for what is near a host: %w", err)
		}
		next, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return vicinity{}, fmt.Errorf("looking for what is near a host: %w", err)
		}
		edge = nil
		for _, host := range next {
			if !met[host] && len(v.hosts) < maxNear {
				met[host] = true
				edge = append(edge, host)
				v.hosts, v.distances = append(v.hosts, host), append(v.distances, int32(distance))
			}
		}
	}
	return v, nil
}

// neighboursSQL finds the hosts one hop from those of $1, at most $2.
func neighboursSQL(graph string) string {
	table := func(label string) string { return pgx.Identifier{graph, label}.Sanitize() }
	return strings.NewReplacer(
		"{Host}", table(string(cmdb.Host)), "{RUNS}", table(string(cmdb.Runs)),
		"{LISTENS_ON}", table(string(cmdb.ListensOn)), "{CONNECTS_TO}", table(string(cmdb.ConnectsTo)),
		"{key}", store.Access("h.properties", store.KeyProperty), "{text}", store.KeyProperty,
	).Replace(`
		WITH own AS (
			SELECT r.end_id AS service FROM unnest($1::text[]) AS k(id)
			JOIN {Host} h ON {key} = (to_jsonb(k.id)::text)::ag_catalog.agtype JOIN {RUNS} r ON r.start_id = h.id
		), other AS (
			SELECT l.start_id AS service FROM own o JOIN {CONNECTS_TO} c ON c.start_id = o.service JOIN {LISTENS_ON} l ON l.end_id = c.end_id
			UNION
			SELECT c.start_id FROM own o JOIN {LISTENS_ON} l ON l.start_id = o.service JOIN {CONNECTS_TO} c ON c.end_id = l.end_id
		)
		SELECT DISTINCT h.properties ->> '{text}'::text FROM other o JOIN {RUNS} r ON r.end_id = o.service JOIN {Host} h ON h.id = r.start_id
		ORDER BY 1 LIMIT $2`)
}
