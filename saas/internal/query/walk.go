package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Limits of a walk: how far it goes, and how many services it meets. A service
// that everything uses is met once, so the work is that of the edges around what
// was met.
const (
	maxHops = 6
	maxMet  = 20_000
)

// walk is how dependencies go on from a parameter: to who uses it, to who uses
// those, and so on, or the other way.
type walk struct {
	way  string // clients or servers
	from int    // index of the parameter
}

// tableColumns is the number of columns of {walk}, and of {wiring}.
const tableColumns = 3

// walkTable is the services that a walk met: how far, and through which service;
// the beginning has distance 0.
const walkTable = `(SELECT x.service::ag_catalog.graphid AS service, x.distance, nullif(x.via, '')::ag_catalog.graphid AS via
	FROM unnest($1::text[], $2::int[], $3::text[]) AS x(service, distance, via))`

// steps lead from services to the next, and from endpoints to their clients.
var steps = map[string]string{
	"clients": `SELECT c.start_id::text, min(l.start_id::text) FROM unnest($1::text[]) f(id)
		JOIN {g}."LISTENS_ON" l ON l.start_id = f.id::ag_catalog.graphid JOIN {g}."CONNECTS_TO" c ON c.end_id = l.end_id
		GROUP BY 1 ORDER BY 1 LIMIT $2`,
	"servers": `SELECT l.start_id::text, min(c.start_id::text) FROM unnest($1::text[]) f(id)
		JOIN {g}."CONNECTS_TO" c ON c.start_id = f.id::ag_catalog.graphid JOIN {g}."LISTENS_ON" l ON l.end_id = c.end_id
		GROUP BY 1 ORDER BY 1 LIMIT $2`,
	"users": `SELECT c.start_id::text, '' FROM unnest($1::text[]) f(id) JOIN {g}."CONNECTS_TO" c ON c.end_id = f.id::ag_catalog.graphid
		GROUP BY 1 ORDER BY 1 LIMIT $2`,
}

func (q *Query) parseWalk(text string) error {
	way, name, _ := strings.Cut(text, " ")
	i := slices.IndexFunc(q.Parameters, func(p Parameter) bool { return p.Name == name })
	if way != "clients" && way != "servers" || i < 0 || q.Parameters[i].Type != Host && q.Parameters[i].Type != Entity {
		return fmt.Errorf("%q is not walk clients|servers PARAM, of a host or an entity that is declared above", text)
	}
	q.walk = walk{way, i}
	return nil
}

// met is what a walk came by, as columns.
type met struct {
	services, via []string
	distances     []int32
	cut           bool // there was more
}

func (m *met) columns() []any { return []any{m.services, m.distances, m.via} }

// hops is how far a walk goes: the parameter of that name, else as far as any.
func (q *Query) hops(values []any) int {
	for i, p := range q.Parameters {
		if n, ok := values[i].(int64); ok && p.Name == "hops" {
			return int(min(max(n, 1), maxHops))
		}
	}
	return maxHops
}

// follow walks breadth first from the beginning, meeting each service once.
func (w walk) follow(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, from start, hops int) (met, error) {
	var m met
	known := map[string]bool{}
	meet := func(service, via string, distance int) bool {
		if known[service] {
			return false
		}
		known[service] = true
		m.services, m.via, m.distances = append(m.services, service), append(m.via, via), append(m.distances, int32(distance))
		return true
	}
	for _, s := range from.services {
		meet(s, "", 0)
	}
	frontier := slices.Clone(m.services)
	for distance := 1; distance <= hops && len(m.services) < maxMet; distance++ {
		var next []string
		take := func(way string, from []string) error {
			if len(from) == 0 {
				return nil
			}
			rows, err := tx.Query(ctx, strings.ReplaceAll(steps[way], "{g}", store.Graph(tenant)), from, maxMet+1)
			if err != nil {
				return fmt.Errorf("walking dependencies: %w", err)
			}
			var service, via string
			_, err = pgx.ForEachRow(rows, []any{&service, &via}, func() error {
				if len(m.services) >= maxMet {
					m.cut = true
				} else if meet(service, via, distance) {
					next = append(next, service)
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("walking dependencies: %w", err)
			}
			return nil
		}
		if err := take(w.way, frontier); err != nil {
			return met{}, err
		}
		if distance == 1 && w.way == "clients" {
			if err := take("users", from.endpoints); err != nil {
				return met{}, err
			}
			for _, service := range from.within {
				if meet(service, "", distance) {
					next = append(next, service)
				}
			}
		}
		if frontier = next; len(next) == 0 {
			break
		}
	}
	return m, nil
}
