package hosts

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// withinTable is one part of what a host holds.
type withinTable struct {
	title, about string
	columns      []string
	rows         [][]string
}

// mostWithin bounds the rows of one part.
const mostWithin = 512

// withins are the parts, as the graph has them. {Label} is a label's table, {x.name}
// a property as text, {x.list} one that is a list, joined. $1 is the host's key as
// agtype, own the host; each selects as many texts as it has columns.
var withins = []struct {
	title, about string
	columns      []string
	sql          string
}{
	{"Runs on", "the host that has this one as a guest", []string{"Hypervisor", "Guest", "State"}, `
		SELECT ARRAY[{v.name}, {c.name}, {c.state}] FROM own h JOIN {HAS_INTERFACE} i ON i.start_id = h.id JOIN {HAS_NIC} o ON o.start_id = i.end_id
		JOIN {CHILD_NIC} n ON n.end_id = o.end_id JOIN {Child} c ON c.id = n.start_id JOIN {HAS_CHILD} x ON x.end_id = c.id JOIN {Host} v ON v.id = x.start_id
		ORDER BY 1`},
	{"Systems", "containers, guests and pods; they die with the host", []string{"Name", "Sort", "State", "Image", "Ports", "Services", "Engine"}, `
		SELECT ARRAY[{c.name}, {c.sort}, {c.state}, {c.image}, {c.ports[]},
			(SELECT string_agg({s.name}, ', ' ORDER BY {s.name}) FROM {RUNS_IN} r JOIN {Service} s ON s.id = r.start_id WHERE r.end_id = c.id), {c.engine}]
		FROM own h JOIN {HAS_CHILD} x ON x.start_id = h.id JOIN {Child} c ON c.id = x.end_id ORDER BY {c.sort}, {c.name}, {c.key}`},
	{"Units", "of systemd that run or should", []string{"Unit", "State", "Services", "Triggers"}, `
		SELECT ARRAY[{u.name}, {u.state},
			(SELECT string_agg({s.name}, ', ' ORDER BY {s.name}) FROM {STARTED_BY} b JOIN {Service} s ON s.id = b.start_id WHERE b.end_id = u.id), {u.triggers[]}]
		FROM own h JOIN {HAS_UNIT} x ON x.start_id = h.id JOIN {Unit} u ON u.id = x.end_id ORDER BY {u.state} DESC, {u.name}`},
	{"Needs a restart", "services that run files which were replaced since they started", []string{"Service", "Files"}, `
		SELECT ARRAY[{s.name}, {l.stale[]}] FROM own h JOIN {RUNS} r ON r.start_id = h.id JOIN {Service} s ON s.id = r.end_id
		JOIN {LOADS} l ON l.start_id = s.id WHERE {l.stale} IS NOT NULL ORDER BY {s.name}, {s.key}`},
	{"Certificates", "in files, and served", []string{"Ends", "Subject", "Where", "Served by", "Issuer"}, `
		SELECT ARRAY[{c.not_after}, {c.subject}, {x.places}, {x.service}, {c.issuer}] FROM (
			SELECT f.end_id, jsonb_build_object('places', {f.paths[]}) AS properties FROM own h JOIN {HAS_CERTIFICATE} f ON f.start_id = h.id
			UNION ALL SELECT f.end_id, jsonb_build_object('places', {f.listeners[]}, 'service', {s.name}) FROM own h JOIN {RUNS} r ON r.start_id = h.id
				JOIN {Service} s ON s.id = r.end_id JOIN {SERVES} f ON f.start_id = s.id) x
		JOIN {Certificate} c ON c.id = x.end_id ORDER BY {c.not_after}, {c.key}, 1`},
	{"Disks", "and what lies on them", []string{"Device", "Type", "Bytes", "Content", "Lies on", "Filesystems", "State", "Serial"}, `
		SELECT ARRAY[{d.name}, {d.type}, {d.bytes}, {d.content},
			(SELECT string_agg({b.name}, ', ' ORDER BY {b.name}) FROM {CARRIES} c JOIN {Disk} b ON b.id = c.start_id WHERE c.end_id = d.id),
			(SELECT string_agg({f.target}, ', ' ORDER BY {f.target}) FROM {ON_DISK} o JOIN {Filesystem} f ON f.id = o.start_id WHERE o.end_id = d.id),
			coalesce({d.array}, {d.state}), {d.serial}]
		FROM disks k JOIN {Disk} d ON d.id = k.id ORDER BY {d.name}`},
	{"Groups", "with accounts that can log in", []string{"Group", "Members"}, `
		SELECT ARRAY[{g.name}, (SELECT string_agg({u.name}, ', ' ORDER BY {u.name}) FROM {MEMBER_OF} m JOIN {User} u ON u.id = m.start_id WHERE m.end_id = g.id)]
		FROM own h JOIN {HAS_GROUP} x ON x.start_id = h.id JOIN {Group} g ON g.id = x.end_id ORDER BY {g.name}`},
}

var withinWord = regexp.MustCompile(`\{([A-Za-z_.]+)(\[\])?\}`)

// withinSQL writes the tables and properties into a part's text.
func withinSQL(tenant tenancy.TenantID, text string) string {
	text = `WITH RECURSIVE own AS (SELECT h.id FROM {Host} h WHERE ` + store.Access("h.properties", store.KeyProperty) + ` = $1::text::ag_catalog.agtype),
		disks AS (SELECT x.end_id AS id FROM own JOIN {HAS_DISK} x ON x.start_id = own.id UNION SELECT c.end_id FROM disks JOIN {CARRIES} c ON c.start_id = disks.id)` + text + ` LIMIT $2`
	return withinWord.ReplaceAllStringFunc(text, func(word string) string {
		m := withinWord.FindStringSubmatch(word)
		row, property, is := strings.Cut(m[1], ".")
		switch value := fmt.Sprintf("(%s.properties ->> '%s'::text)", row, property); {
		case !is:
			return pgx.Identifier{store.Graph(tenant), m[1]}.Sanitize()
		case m[2] != "":
			return "(SELECT string_agg(item, ', ') FROM jsonb_array_elements_text(" + value + "::jsonb) item)"
		default:
			return value
		}
	})
}

// withinOf reads what a host holds; parts without anything are left out.
func withinOf(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, host tenancy.HostID) (tables []withinTable, err error) {
	for _, w := range withins {
		rows, err := tx.Query(ctx, withinSQL(tenant, w.sql), `"`+host.String()+`"`, mostWithin)
		if err != nil {
			return nil, fmt.Errorf("reading %s of a host: %w", w.title, err)
		}
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (texts []string, err error) {
			var values []*string
			if err := row.Scan(&values); err != nil {
				return nil, err
			}
			for _, v := range values {
				text := ""
				if v != nil {
					text = *v
				}
				texts = append(texts, text)
			}
			return texts, nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading %s of a host: %w", w.title, err)
		}
		if len(all) > 0 {
			tables = append(tables, withinTable{w.title, w.about, w.columns, all})
		}
	}
	return tables, nil
}

func (s *Service) within(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	tables, err := withinOf(r.Context(), tx, web.ActorFrom(r.Context()).Tenant, h.ID)
	return withinBody(tables), err
}
