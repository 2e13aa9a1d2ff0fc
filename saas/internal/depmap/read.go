package depmap

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/saas/internal/web"
	"assimilation/tenancy/store"
)

// sight is what was read of a scope, in a fixed order.
type sight struct {
	title     string
	focus     string // id of the host that the map is about, or ""
	hosts     []host // of the scope, then those that they depend on or serve
	links     []link
	listeners []listener // of the focus
	leftOut   LeftOut

	grouped     bool // by services' names, for there are too many hosts
	groups      []group
	attachments []attachment
	plugs       []plug
	things      []thing
}

// keys are the hosts' natural keys, as agtype.
func (s *sight) keys() []string {
	keys := make([]string, len(s.hosts))
	for i, h := range s.hosts {
		keys[i] = `"` + h.ID + `"`
	}
	return keys
}

type host struct {
	ID    string
	Name  string
	State string
	Site  string
}

// link says that a client's service uses an endpoint. The server is nil where
// no enrolled host listens.
type link struct {
	Client, ClientName, ClientHost string
	Endpoint, IP, Protocol         string
	Port                           int
	Server, ServerName, ServerHost *string
	MAC                            *string // of the address, where there is no server
}

// listener is an endpoint that a service of the focus accepts at.
type listener struct {
	Service, Name, Endpoint, IP, Protocol string
	Port                                  int
}

func read(ctx context.Context, tx pgx.Tx, graph string, kind Type, scope Scope) (sight, error) {
	var s sight
	var site string
	var err error
	if scope.Host != "" {
		s.hosts, err = namedHost(ctx, tx, scope.Host)
	} else if scope.Subnet == "" {
		s.hosts, s.leftOut.Hosts, s.title, site, err = hostsOf(ctx, tx, scope.Site)
	}
	if err != nil {
		return s, err
	}
	if scope.Host != "" {
		s.title, s.focus = s.hosts[0].Name, s.hosts[0].ID
	}
	if kind == Services && s.leftOut.Hosts > 0 {
		s.grouped, s.hosts, s.leftOut.Hosts = true, nil, 0
		return s, s.readGroups(ctx, tx, graph, site)
	}
	if kind != Network {
		if s.focus != "" {
			if err := s.readListeners(ctx, tx, graph, s.keys()[0]); err != nil {
				return s, fmt.Errorf("reading what a host listens on: %w", err)
			}
		}
		if err := s.readLinks(ctx, tx, graph, s.keys()); err != nil {
			return s, fmt.Errorf("reading dependencies: %w", err)
		}
		if err := s.readOthers(ctx, tx); err != nil {
			return s, err
		}
	}
	if kind != Services {
		if err := s.readNetwork(ctx, tx, graph, scope); err != nil {
			return s, err
		}
	}
	if kind == Everything {
		return s, s.readThings(ctx, tx, graph)
	}
	return s, nil
}

const selectHost = `SELECT h.id::text, h.name, h.state, s.name FROM assim.hosts h JOIN assim.sites s ON s.tenant = h.tenant AND s.id = h.site `

func namedHost(ctx context.Context, tx pgx.Tx, ref string) ([]host, error) {
	ref = web.Text(ref)
	rows, err := tx.Query(ctx, selectHost+`
		WHERE h.retired_at IS NULL AND (h.name_lower = lower($1) OR h.id = assim.as_id($1)) ORDER BY h.id = assim.as_id($1) DESC LIMIT 2`, ref)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[host])
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, errNoHost
	case len(found) == 2 && found[0].ID != strings.ToLower(ref):
		return nil, errAmbiguous
	}
	return found[:1], nil
}

// hostsOf lists the first hosts of a site, or of all sites, by name.
func hostsOf(ctx context.Context, tx pgx.Tx, site string) (hosts []host, more int, title, id string, err error) {
	title = "all sites"
	if site != "" {
		err = tx.QueryRow(ctx, `SELECT id::text, name FROM assim.sites WHERE id::text = lower($1) OR name = $1 ORDER BY name = $1 LIMIT 1`, web.Text(site)).Scan(&id, &title)
		if err == pgx.ErrNoRows {
			err = errNoSite
		}
		if err != nil {
			return nil, 0, "", "", err
		}
	}
	const chosen = `WHERE h.retired_at IS NULL AND ($1 = '' OR h.site::text = $1) `
	rows, err := tx.Query(ctx, selectHost+chosen+`ORDER BY h.name_lower, h.id LIMIT $2`, id, maxHosts)
	if err != nil {
		return nil, 0, "", "", err
	}
	if hosts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[host]); err != nil || len(hosts) < maxHosts {
		return hosts, 0, title, id, err
	}
	err = tx.QueryRow(ctx, `SELECT count(*)::int - $2 FROM assim.hosts h `+chosen, id, maxHosts).Scan(&more)
	return hosts, more, title, id, err
}

// expand writes label tables and their properties into SQL.
func expand(graph, sql string) string {
	var pairs []string
	for _, v := range cmdb.Vertices {
		pairs = append(pairs, "{"+string(v.Label)+"}", pgx.Identifier{graph, string(v.Label)}.Sanitize())
	}
	for _, e := range cmdb.Edges {
		pairs = append(pairs, "{"+string(e.Type)+"}", pgx.Identifier{graph, string(e.Type)}.Sanitize())
	}
	pairs = append(pairs, "{hosts}", `(SELECT h.id, h.properties FROM unnest($1::text[]) k(key)
		JOIN `+pgx.Identifier{graph, string(cmdb.Host)}.Sanitize()+` h ON `+store.Access("h.properties", store.KeyProperty)+` = k.key::ag_catalog.agtype)`)
	pairs = append(pairs, "{own}", `SELECT h.id AS host, r.end_id AS service FROM unnest($1::text[]) k(key)
		JOIN `+pgx.Identifier{graph, string(cmdb.Host)}.Sanitize()+` h ON `+store.Access("h.properties", store.KeyProperty)+` = k.key::ag_catalog.agtype
		JOIN `+pgx.Identifier{graph, string(cmdb.Runs)}.Sanitize()+` r ON r.start_id = h.id`)
	return strings.NewReplacer(pairs...).Replace(sql)
}

// readLinks joins the label tables from the hosts outwards, in both roles. What
// a host does within itself belongs on its own map only.
func (s *sight) readLinks(ctx context.Context, tx pgx.Tx, graph string, keys []string) error {
	rows, err := tx.Query(ctx, expand(graph, `
		WITH own AS ({own}), links AS (
			SELECT o.host AS server_host, o.service AS server, l.end_id AS endpoint, c.start_id AS client, r.start_id AS client_host
			FROM own o JOIN {LISTENS_ON} l ON l.start_id = o.service
			JOIN {CONNECTS_TO} c ON c.end_id = l.end_id JOIN {RUNS} r ON r.end_id = c.start_id
			UNION
			SELECT r.start_id, l.start_id, c.end_id, o.service, o.host
			FROM own o JOIN {CONNECTS_TO} c ON c.start_id = o.service
			LEFT JOIN {LISTENS_ON} l ON l.end_id = c.end_id LEFT JOIN {RUNS} r ON r.end_id = l.start_id
		), chosen AS (
			SELECT k.*, count(*) OVER () AS total FROM links k WHERE $2 OR k.server_host IS DISTINCT FROM k.client_host
			ORDER BY k.client, k.endpoint, k.server LIMIT $3
		)
		SELECT c.properties ->> 'key'::text, c.properties ->> 'name'::text, ch.properties ->> 'key'::text,
			e.properties ->> 'key'::text, e.properties ->> 'ip'::text, e.properties ->> 'protocol'::text, (e.properties ->> 'port'::text)::int,
			s.properties ->> 'key'::text, s.properties ->> 'name'::text, sh.properties ->> 'key'::text,
			CASE WHEN k.server IS NULL THEN (SELECT coalesce((SELECT min(x.properties ->> 'mac'::text) FROM {SEES} x WHERE x.end_id = a.end_id),
				(SELECT min(x.properties ->> 'mac'::text) FROM {HEARS} x WHERE x.end_id = a.end_id)) FROM {AT} a WHERE a.start_id = e.id LIMIT 1) END, k.total
		FROM chosen k JOIN {Endpoint} e ON e.id = k.endpoint JOIN {Service} c ON c.id = k.client JOIN {Host} ch ON ch.id = k.client_host
		LEFT JOIN {Service} s ON s.id = k.server LEFT JOIN {Host} sh ON sh.id = k.server_host
		ORDER BY 1, 4, 8`), keys, s.focus != "", maxLinks)
	if err != nil {
		return err
	}
	total := 0
	s.links, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l link, err error) {
		err = row.Scan(&l.Client, &l.ClientName, &l.ClientHost, &l.Endpoint, &l.IP, &l.Protocol, &l.Port, &l.Server, &l.ServerName, &l.ServerHost, &l.MAC, &total)
		return l, err
	})
	s.leftOut.Links = max(0, total-len(s.links))
	return err
}

func (s *sight) readListeners(ctx context.Context, tx pgx.Tx, graph, key string) error {
	rows, err := tx.Query(ctx, expand(graph, `
		WITH own AS ({own})
		SELECT s.properties ->> 'key'::text, s.properties ->> 'name'::text, e.properties ->> 'key'::text, e.properties ->> 'ip'::text,
			e.properties ->> 'protocol'::text, (e.properties ->> 'port'::text)::int, count(*) OVER ()
		FROM own o JOIN {Service} s ON s.id = o.service JOIN {LISTENS_ON} l ON l.start_id = s.id JOIN {Endpoint} e ON e.id = l.end_id
		ORDER BY 6, 5, 1, 3 LIMIT $2`), []string{key}, maxListeners)
	if err != nil {
		return err
	}
	total := 0
	s.listeners, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l listener, err error) {
		err = row.Scan(&l.Service, &l.Name, &l.Endpoint, &l.IP, &l.Protocol, &l.Port, &total)
		return l, err
	})
	s.leftOut.Listeners = max(0, total-len(s.listeners))
	return err
}

// readOthers adds the hosts that links lead to.
func (s *sight) readOthers(ctx context.Context, tx pgx.Tx) error {
	known := map[string]bool{}
	for _, h := range s.hosts {
		known[h.ID] = true
	}
	var ids []string
	want := func(id string) {
		if !known[id] {
			known[id] = true
			ids = append(ids, id)
		}
	}
	for _, l := range s.links {
		want(l.ClientHost)
		if l.ServerHost != nil {
			want(*l.ServerHost)
		}
	}
	return s.addHosts(ctx, tx, ids)
}

func (s *sight) addHosts(ctx context.Context, tx pgx.Tx, ids []string) error {
	rows, err := tx.Query(ctx, selectHost+`WHERE h.id = ANY($1::text[]::uuid[]) ORDER BY h.name_lower, h.id`, ids)
	if err != nil {
		return fmt.Errorf("reading hosts: %w", err)
	}
	others, err := pgx.CollectRows(rows, pgx.RowToStructByPos[host])
	s.hosts = append(s.hosts, others...)
	return err
}
