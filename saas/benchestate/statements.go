package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/loadtest/estate"
	"assimilation/saas/internal/history"
	"assimilation/tenancy/store"
)

// statement is a prepared one over the label tables, with one parameter: a
// natural key of label of, or none.
type statement struct {
	name string
	goal float64 // ms, of design
	of   cmdb.Label
	sql  string
}

// statements are the ones that goals were set for. {X} is the table of X,
// {key x} the indexed key of the row x.
var statements = []statement{
	{"a host by its key", .3, cmdb.Host, `SELECT ag_catalog.agtype_out(h.properties)::text FROM {Host} h WHERE {key h} = $1::text::ag_catalog.agtype`},
	{"its services (1 edge)", .5, cmdb.Host, `SELECT s.properties ->> 'name'::text FROM {Host} h JOIN {RUNS} r ON r.start_id = h.id JOIN {Service} s ON s.id = r.end_id WHERE {key h} = $1::text::ag_catalog.agtype`},
	{"hosts that it depends on (4 edges)", 2, cmdb.Host, `SELECT z.properties ->> 'name'::text FROM {Host} h JOIN {RUNS} r ON r.start_id = h.id JOIN {CONNECTS_TO} c ON c.start_id = r.end_id
		JOIN {LISTENS_ON} l ON l.end_id = c.end_id JOIN {RUNS} q ON q.end_id = l.start_id JOIN {Host} z ON z.id = q.start_id WHERE {key h} = $1::text::ag_catalog.agtype`},
	{"all that a service needs, 6 hops forward", 2, cmdb.Service, `WITH RECURSIVE w(id, d) AS (
		SELECT s.id, 0 FROM {Service} s WHERE {key s} = $1::text::ag_catalog.agtype
		UNION SELECT l.start_id, w.d + 1 FROM w JOIN {CONNECTS_TO} c ON c.start_id = w.id JOIN {LISTENS_ON} l ON l.end_id = c.end_id WHERE w.d < 6)
		SELECT id::text, min(d) FROM w GROUP BY id`},
	{"all that needs a service, 6 hops back", 25, cmdb.Service, `WITH RECURSIVE w(id, d) AS (
		SELECT s.id, 0 FROM {Service} s WHERE {key s} = $1::text::ag_catalog.agtype
		UNION SELECT c.start_id, w.d + 1 FROM w JOIN {LISTENS_ON} l ON l.start_id = w.id JOIN {CONNECTS_TO} c ON c.end_id = l.end_id WHERE w.d < 6)
		SELECT id::text, min(d) FROM w GROUP BY id`},
	{"hosts of each version of one package", 0, "", `SELECT p.properties ->> 'version'::text, sum(n.hosts) FROM {Package} p JOIN {CONTAINS} c ON c.end_id = p.id
		CROSS JOIN LATERAL (SELECT count(*) AS hosts FROM {HAS_PACKAGES} e WHERE e.end_id = c.start_id) n WHERE {name p} = '"openssl"'::ag_catalog.agtype GROUP BY 1`},
	{"hosts of each system (an edge per host)", 0, "", `SELECT o.properties ->> 'version'::text, n.hosts FROM (SELECT end_id, count(*) AS hosts FROM {RUNS_OS} GROUP BY 1) n JOIN {OS} o ON o.id = n.end_id`},
	{"clients of each endpoint, the 100 busiest (fleet aggregate)", 100, "", `SELECT e.properties ->> 'ip'::text, n.clients FROM (SELECT end_id, count(*) AS clients FROM {CONNECTS_TO} GROUP BY 1 ORDER BY 2 DESC LIMIT 100) n
		JOIN {Endpoint} e ON e.id = n.end_id`},
}

// askStatements times statements within one transaction each.
func (p *place) askStatements(ctx context.Context, t *timer, e *estate.Estate) error {
	random := rand.New(rand.NewPCG(1, 2))
	services, err := p.keys(ctx, cmdb.Service, 1000)
	if err != nil {
		return err
	}
	for _, s := range statements {
		sql := p.expand(s.sql)
		err := p.db.Read(ctx, p.tenant, func(tx pgx.Tx) error {
			return t.time(ctx, "statements", s.name, s.goal, func(int) (int, error) {
				var arguments []any
				switch s.of {
				case cmdb.Host:
					arguments = append(arguments, `"`+e.Host(random.IntN(e.Hosts(0))).ID.String()+`"`)
				case cmdb.Service:
					arguments = append(arguments, `"`+services[random.IntN(len(services))]+`"`)
				}
				return count(tx.Query(ctx, sql, arguments...))
			})
		})
		if err != nil {
			return err
		}
	}
	return p.askHistory(ctx, t, services)
}

// askHistory times what looks back.
func (p *place) askHistory(ctx context.Context, t *timer, services []string) error {
	random := rand.New(rand.NewPCG(3, 4))
	return p.db.Read(ctx, p.tenant, func(tx pgx.Tx) error {
		week := time.Now().Add(-(days - 1) * 24 * time.Hour)
		some := func() (refs []cmdb.Ref) {
			for range 50 {
				refs = append(refs, cmdb.Ref{Label: cmdb.Service, Key: services[random.IntN(len(services))]})
			}
			return refs
		}
		err := t.time(ctx, "history", "50 services as of a week ago", 5, func(int) (int, error) {
			found, err := history.VerticesAt(ctx, tx, p.tenant, some(), week)
			return len(found), err
		})
		if err != nil {
			return err
		}
		err = t.time(ctx, "history", "50 services and their edges as of a week ago", 0, func(int) (int, error) {
			found, err := history.ElementsAt(ctx, tx, p.tenant, some(), week)
			return len(found.Vertices) + len(found.Edges), err
		})
		if err != nil {
			return err
		}
		return t.time(ctx, "history", "all that changed in the graph in 24 h", 100, func(int) (int, error) {
			return count(tx.Query(ctx, `SELECT at, label, key, to_key, before FROM assim.undo WHERE at > $1`, time.Now().Add(-24*time.Hour)))
		})
	})
}

func count(rows pgx.Rows, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n := 0
	for rows.Next() {
		rows.RawValues()
		n++
	}
	return n, rows.Err()
}

// keys draws natural keys of a label.
func (p *place) keys(ctx context.Context, label cmdb.Label, n int) ([]string, error) {
	sql := p.expand(fmt.Sprintf(`SELECT v.properties ->> 'key'::text FROM {%s} v TABLESAMPLE SYSTEM (10) REPEATABLE (1) ORDER BY hashtext(v.properties ->> 'key'::text) LIMIT $1`, label))
	rows, err := p.admin.Query(ctx, sql, n)
	if err != nil {
		return nil, fmt.Errorf("drawing keys of %s: %w", label, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// expand writes a statement for the tenant's graph.
func (p *place) expand(sql string) string {
	names := []string{}
	for _, v := range cmdb.Vertices {
		names = append(names, "{"+string(v.Label)+"}", store.Graph(p.tenant)+`."`+string(v.Label)+`"`)
	}
	for _, e := range cmdb.Edges {
		names = append(names, "{"+string(e.Type)+"}", store.Graph(p.tenant)+`."`+string(e.Type)+`"`)
	}
	for _, property := range []string{"key", "name"} {
		for _, row := range []string{"h", "s", "p"} {
			names = append(names, "{"+property+" "+row+"}", store.Access(row+".properties", property))
		}
	}
	return strings.NewReplacer(names...).Replace(sql)
}
