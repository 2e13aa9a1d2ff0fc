package depmap

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// maxGroups bounds the dependencies between services of a large estate.
const maxGroups = 200

// group is what services of one name, on however many hosts, use of those of
// another.
type group struct {
	Client, Server, Protocol string
	Port                     int
	Uses                     int // pairs of a client and an endpoint
	ClientHosts, ServerHosts int
}

// Who uses whom: all of a tenant, or those of which either is of the site $1.
const (
	allUses = `SELECT t.start_id AS client, t.end_id AS endpoint, l.start_id AS server FROM {CONNECTS_TO} t JOIN {LISTENS_ON} l ON l.end_id = t.end_id
		WHERE $1 = ''`
	usesOfSite = `SELECT t.start_id AS client, t.end_id AS endpoint, l.start_id AS server
		FROM own o JOIN {CONNECTS_TO} t ON t.start_id = o.service JOIN {LISTENS_ON} l ON l.end_id = t.end_id
		UNION
		SELECT t.start_id, t.end_id, l.start_id FROM own o JOIN {LISTENS_ON} l ON l.start_id = o.service JOIN {CONNECTS_TO} t ON t.end_id = l.end_id`
)

// readGroups reads the dependencies of more hosts than can be drawn, by the
// names of services; site is an id, "" all.
func (s *sight) readGroups(ctx context.Context, tx pgx.Tx, graph, site string) error {
	uses := allUses
	if site != "" {
		uses = usesOfSite
	}
	rows, err := tx.Query(ctx, expand(graph, `
		WITH own AS (SELECT r.end_id AS service FROM {Host} h JOIN {RUNS} r ON r.start_id = h.id WHERE h.properties ->> 'site'::text = $1),
		uses AS (`+uses+`)
		SELECT c.properties ->> 'name'::text, s.properties ->> 'name'::text, e.properties ->> 'protocol'::text, (e.properties ->> 'port'::text)::int,
			count(*)::int, count(DISTINCT cr.start_id)::int, count(DISTINCT sr.start_id)::int, count(*) OVER ()
		FROM uses u JOIN {Endpoint} e ON e.id = u.endpoint JOIN {Service} c ON c.id = u.client JOIN {Service} s ON s.id = u.server
		JOIN {RUNS} cr ON cr.end_id = c.id JOIN {RUNS} sr ON sr.end_id = s.id
		WHERE cr.start_id <> sr.start_id
		GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT $2`), site, maxGroups)
	if err != nil {
		return fmt.Errorf("reading dependencies between services: %w", err)
	}
	total := 0
	s.groups, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (g group, err error) {
		err = row.Scan(&g.Client, &g.Server, &g.Protocol, &g.Port, &g.Uses, &g.ClientHosts, &g.ServerHosts, &total)
		return g, err
	})
	s.leftOut.Links = max(0, total-len(s.groups))
	if err != nil {
		return fmt.Errorf("reading dependencies between services: %w", err)
	}
	return nil
}

// addGroups draws a box for each name of a service, with its ports.
func (p *picture) addGroups(groups []group) {
	hosts := map[string]int{}
	of := func(name string, on int) *box {
		id := "group:" + name
		if p.byID[id] == nil {
			p.add(&box{node: Node{ID: id, Kind: GroupNode, Label: name, Href: "/queries/shared-fate?service=" + escaped(name)}})
		}
		hosts[id] = max(hosts[id], on)
		p.byID[id].node.Detail = fmt.Sprintf("on %d hosts", hosts[id])
		p.byID[id].outgoing = true
		return p.byID[id]
	}
	for _, g := range groups {
		client, server := of(g.Client, g.ClientHosts), of(g.Server, g.ServerHosts)
		key := fmt.Sprintf("%s:%d/%s", server.node.ID, g.Port, g.Protocol)
		at := p.endpoints[key]
		if at == nil {
			at = &endpoint{node: Node{ID: key, Kind: EndpointNode, Label: fmt.Sprintf(":%d/%s", g.Port, g.Protocol), Parent: server.node.ID}, port: g.Port}
			p.endpoints[key] = at
			own := server.service(server.node.ID, "")
			own.hidden = true
			own.endpoints = append(own.endpoints, at)
		}
		p.join(Connects, client.node.ID, at.node.ID)
		p.relate(client, server)
	}
}
