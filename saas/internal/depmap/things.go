package depmap

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// maxThings bounds what is drawn within hosts beside services.
const maxThings = 300

// thing is a container, guest, unit, certificate or disk of a host.
type thing struct {
	Kind      NodeKind
	Host, Key string
	Name      string
	Detail    string
	Guest     *string  // host that a guest is
	Services  []string // that run in it, are started by it, or show it
}

const readChildren = `
	SELECT 'child', h.properties ->> 'key'::text, c.properties ->> 'key'::text, coalesce(c.properties ->> 'name'::text, c.properties ->> 'id'::text),
		concat_ws(' ', c.properties ->> 'sort'::text, c.properties ->> 'image'::text, c.properties ->> 'state'::text),
		(SELECT min(i.id::text) FROM (SELECT g.properties ->> 'key'::text AS id FROM {CHILD_NIC} n JOIN {HAS_NIC} o ON o.end_id = n.end_id
			JOIN {HAS_INTERFACE} y ON y.end_id = o.start_id JOIN {Host} g ON g.id = y.start_id WHERE n.start_id = c.id AND g.id <> h.id) i),
		ARRAY(SELECT s.properties ->> 'key'::text FROM {RUNS_IN} r JOIN {Service} s ON s.id = r.start_id WHERE r.end_id = c.id ORDER BY 1)
	FROM {hosts} h JOIN {HAS_CHILD} x ON x.start_id = h.id JOIN {Child} c ON c.id = x.end_id`

// readParts is what is drawn of the one host that a map is about.
const readParts = `
	UNION ALL
	SELECT 'unit', h.properties ->> 'key'::text, u.properties ->> 'key'::text, u.properties ->> 'name'::text, u.properties ->> 'state'::text, NULL,
		ARRAY(SELECT s.properties ->> 'key'::text FROM {STARTED_BY} b JOIN {Service} s ON s.id = b.start_id WHERE b.end_id = u.id ORDER BY 1)
	FROM {hosts} h JOIN {HAS_UNIT} x ON x.start_id = h.id JOIN {Unit} u ON u.id = x.end_id WHERE h.properties ->> 'key'::text = $3
	UNION ALL
	SELECT 'certificate', h.properties ->> 'key'::text, c.properties ->> 'key'::text, coalesce(c.properties ->> 'subject'::text, ''), 'ends ' || (c.properties ->> 'not_after'::text), NULL,
		ARRAY(SELECT s.properties ->> 'key'::text FROM {RUNS} r JOIN {SERVES} v ON v.start_id = r.end_id JOIN {Service} s ON s.id = r.end_id
			WHERE r.start_id = h.id AND v.end_id = c.id ORDER BY 1)
	FROM {hosts} h JOIN LATERAL (SELECT x.end_id FROM {HAS_CERTIFICATE} x WHERE x.start_id = h.id
		UNION SELECT v.end_id FROM {RUNS} r JOIN {SERVES} v ON v.start_id = r.end_id WHERE r.start_id = h.id) k ON true
	JOIN {Certificate} c ON c.id = k.end_id WHERE h.properties ->> 'key'::text = $3
	UNION ALL
	SELECT 'disk', h.properties ->> 'key'::text, d.properties ->> 'key'::text, d.properties ->> 'name'::text, concat_ws(' ', d.properties ->> 'type'::text, d.properties ->> 'content'::text), NULL, '{}'
	FROM {hosts} h JOIN {HAS_DISK} x ON x.start_id = h.id JOIN {Disk} d ON d.id = x.end_id WHERE h.properties ->> 'key'::text = $3`

// readThings reads what is within the hosts: of all their children, and of the
// host that the map is about its units, certificates and disks too.
func (s *sight) readThings(ctx context.Context, tx pgx.Tx, graph string) error {
	rows, err := tx.Query(ctx, expand(graph, `SELECT *, count(*) OVER () FROM (`+readChildren+readParts+`) t (kind, host, key, name, detail, guest, services)
		ORDER BY host, kind, name, key LIMIT $2`), s.keys(), maxThings, s.focus)
	if err != nil {
		return fmt.Errorf("reading what is within hosts: %w", err)
	}
	total := 0
	s.things, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t thing, err error) {
		err = row.Scan(&t.Kind, &t.Host, &t.Key, &t.Name, &t.Detail, &t.Guest, &t.Services, &total)
		return t, err
	})
	if err != nil {
		return fmt.Errorf("reading what is within hosts: %w", err)
	}
	s.leftOut.Things = max(0, total-len(s.things))
	var guests []string
	known := map[string]bool{}
	for _, h := range s.hosts {
		known[h.ID] = true
	}
	for _, t := range s.things {
		if t.Guest != nil && !known[*t.Guest] {
			known[*t.Guest] = true
			guests = append(guests, *t.Guest)
		}
	}
	return s.addHosts(ctx, tx, guests)
}

// addThings draws them in their hosts, under the services, joined with those that
// they are about; a guest with the host that it is.
func (p *picture) addThings(things []thing) {
	for _, t := range things {
		host := p.byID[t.Host]
		if host == nil {
			continue
		}
		id := string(t.Kind) + ":" + t.Host + ":" + t.Key
		inside := &service{node: Node{ID: id, Kind: t.Kind, Label: t.Name, Detail: t.Detail, Parent: host.node.ID, Href: host.node.Href + "/within"}}
		host.services = append(host.services, inside)
		host.outgoing = true
		for _, key := range t.Services {
			if s := host.byKey[key]; s != nil && !s.hidden {
				p.join(Belongs, s.node.ID, id)
			}
		}
		if t.Guest != nil && p.byID[*t.Guest] != nil {
			p.join(IsGuest, id, *t.Guest)
			p.relate(host, p.byID[*t.Guest])
		}
	}
}
