package search

import (
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy/store"
)

// Each selects name, detail, host and host id. {Label} is a label's table of the
// tenant's graph, {@x.name} a property as its index has it. The limit stands
// where rows are chosen, before anything is joined to them.

const hostSQL = `
	SELECT h.name, h.state || ', ' || s.name, h.name, h.id::text
	FROM assim.hosts h JOIN assim.sites s ON s.tenant = h.tenant AND s.id = h.site
	WHERE h.retired_at IS NULL AND (strpos(h.name_lower, lower($1)) > 0 OR h.id = assim.as_id($1))
	ORDER BY h.name_lower = lower($1) DESC, starts_with(h.name_lower, lower($1)) DESC, h.name_lower, h.id LIMIT $2`

const siteSQL = `
	SELECT s.name, '', '', '' FROM assim.sites s WHERE strpos(lower(s.name), lower($1)) > 0
	ORDER BY starts_with(lower(s.name), lower($1)) DESC, lower(s.name) LIMIT $2`

const addressSQL = `
	SELECT a.properties ->> 'ip'::text, coalesce('of ' || (i.properties ->> 'name'::text), 'seen only'), coalesce(h.properties ->> 'name'::text, ''),
		coalesce(h.properties ->> 'key'::text, '')
	FROM (SELECT a.id, a.properties FROM {Address} a WHERE {@a.ip} >= $1::text::ag_catalog.agtype AND {@a.ip} < $2::text::ag_catalog.agtype
		ORDER BY {@a.ip} LIMIT $3) a
	LEFT JOIN ({HAS_ADDRESS} e JOIN {Interface} i ON i.id = e.start_id JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id JOIN {Host} h ON h.id = hi.start_id) ON e.end_id = a.id
	ORDER BY 1, 3, 2 LIMIT $3`

const macSQL = `
	SELECT n.properties ->> 'mac'::text, coalesce('of ' || (i.properties ->> 'name'::text), 'seen only'), coalesce(h.properties ->> 'name'::text, ''),
		coalesce(h.properties ->> 'key'::text, '')
	FROM (SELECT n.id, n.properties FROM {NIC} n WHERE {@n.mac} >= $1::text::ag_catalog.agtype AND {@n.mac} < $2::text::ag_catalog.agtype
		ORDER BY {@n.mac} LIMIT $3) n
	LEFT JOIN ({HAS_NIC} e JOIN {Interface} i ON i.id = e.start_id JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id JOIN {Host} h ON h.id = hi.start_id) ON e.end_id = n.id
	ORDER BY 1, 3, 2 LIMIT $3`

const portSQL = `
	SELECT (e.properties ->> 'port'::text) || '/' || (e.properties ->> 'protocol'::text), (s.properties ->> 'name'::text) || ' at ' || (e.properties ->> 'ip'::text),
		h.properties ->> 'name'::text, h.properties ->> 'key'::text
	FROM (SELECT e.id, e.properties, l.start_id FROM {Endpoint} e JOIN {LISTENS_ON} l ON l.end_id = e.id
		WHERE {@e.port} = $1::text::ag_catalog.agtype AND ($2 = '' OR e.properties ->> 'protocol'::text = $2) LIMIT 1000) e
	JOIN {Service} s ON s.id = e.start_id JOIN {RUNS} r ON r.end_id = s.id JOIN {Host} h ON h.id = r.start_id
	ORDER BY lower(h.properties ->> 'name'::text), 4, 2 LIMIT $3`

const serviceSQL = `
	SELECT s.properties ->> 'name'::text, coalesce(s.properties ->> 'exe'::text, ''), h.properties ->> 'name'::text, h.properties ->> 'key'::text
	FROM (SELECT s.id, s.properties FROM {Service} s WHERE {@s.name} >= $1::text::ag_catalog.agtype AND {@s.name} < $2::text::ag_catalog.agtype
		ORDER BY {@s.name} LIMIT 4 * $3) s
	JOIN {RUNS} r ON r.end_id = s.id JOIN {Host} h ON h.id = r.start_id
	GROUP BY 1, 2, 3, 4 ORDER BY 1, lower(h.properties ->> 'name'::text), 4, 2 LIMIT $3`

const packageSQL = `
	SELECT p.properties ->> 'name'::text, (p.properties ->> 'version'::text) || ' ' || (p.properties ->> 'arch'::text), '', ''
	FROM {Package} p WHERE {@p.name} >= $1::text::ag_catalog.agtype AND {@p.name} < $2::text::ag_catalog.agtype
	ORDER BY {@p.name}, 2 LIMIT $3`

const childSQL = `
	SELECT c.properties ->> 'name'::text, (c.properties ->> 'sort'::text) || coalesce(', ' || (c.properties ->> 'image'::text), ''), h.properties ->> 'name'::text, h.properties ->> 'key'::text
	FROM (SELECT c.id, c.properties FROM {Child} c WHERE {@c.name} >= $1::text::ag_catalog.agtype AND {@c.name} < $2::text::ag_catalog.agtype
		ORDER BY {@c.name} LIMIT 4 * $3) c
	JOIN {HAS_CHILD} x ON x.end_id = c.id JOIN {Host} h ON h.id = x.start_id
	ORDER BY 1, lower(h.properties ->> 'name'::text), 4, 2, c.properties ->> 'key'::text LIMIT $3`

const unitSQL = `
	SELECT u.properties ->> 'name'::text, u.properties ->> 'state'::text, h.properties ->> 'name'::text, h.properties ->> 'key'::text
	FROM (SELECT u.id, u.properties FROM {Unit} u WHERE {@u.name} >= $1::text::ag_catalog.agtype AND {@u.name} < $2::text::ag_catalog.agtype
		ORDER BY {@u.name} LIMIT 4 * $3) u
	JOIN {HAS_UNIT} x ON x.end_id = u.id JOIN {Host} h ON h.id = x.start_id
	ORDER BY 1, lower(h.properties ->> 'name'::text), 4, 2 LIMIT $3`

const fileSQL = `
	SELECT f.properties ->> 'name'::text, f.properties ->> 'path'::text, '', ''
	FROM {File} f WHERE {@f.name} >= $1::text::ag_catalog.agtype AND {@f.name} < $2::text::ag_catalog.agtype
	ORDER BY {@f.name}, 2 LIMIT $3`

var placeholder = regexp.MustCompile(`\{@?[A-Za-z_.]+\}`)

func expand(graph, sql string) string {
	return placeholder.ReplaceAllStringFunc(sql, func(p string) string {
		p = p[1 : len(p)-1]
		if property, ok := strings.CutPrefix(p, "@"); ok {
			row, name, _ := strings.Cut(property, ".")
			return store.Access(row+".properties", name)
		}
		return pgx.Identifier{graph, p}.Sanitize()
	})
}
