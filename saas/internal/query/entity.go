package query

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// entity is a thing that a person named: host:NAME, service:NAME, child:NAME (a
// container or guest), an address, or an address and port. Without a word before
// it, a name is that of a host, else of services, else of children.
type entity struct {
	word    string // host, service, child or ""
	name    string
	address netip.Addr
	port    uint16 // 0: any
}

func readEntity(s string) (any, error) {
	if at, err := netip.ParseAddrPort(s); err == nil && at.Port() > 0 {
		return entity{address: at.Addr().Unmap().WithZone(""), port: at.Port()}, nil
	}
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return entity{address: ip.Unmap().WithZone("")}, nil
	}
	for _, word := range []string{"host", "service", "child"} {
		if name, ok := strings.CutPrefix(s, word+":"); ok && name != "" {
			return entity{word: word, name: name}, nil
		}
	}
	return entity{name: s}, nil
}

// start is where a walk begins: services, endpoints at which no service of an
// enrolled host need listen, and services of guests, which go with what holds them.
type start struct {
	services, endpoints, within []string // ids, as text
}

// maxNested is how deep guests of guests are looked for.
const maxNested = 3

const (
	servicesOfHost = `SELECT r.end_id::text FROM {g}."Host" h JOIN {g}."RUNS" r ON r.start_id = h.id WHERE {key} = ($1::text)::ag_catalog.agtype ORDER BY 1 LIMIT $2`
	hostsKeyed     = `SELECT h.id::text FROM {g}."Host" h WHERE {key} = ($1::text)::ag_catalog.agtype LIMIT $2`
	childrenOf     = `SELECT c.end_id::text FROM unnest($1::text[]) f(id) JOIN {g}."HAS_CHILD" c ON c.start_id = f.id::ag_catalog.graphid ORDER BY 1 LIMIT $2`
	childrenNamed  = `SELECT s.id::text FROM {g}."Child" s WHERE {name} = ($1::text)::ag_catalog.agtype ORDER BY 1 LIMIT $2`
	servicesInside = `SELECT DISTINCT r.start_id::text FROM unnest($1::text[]) f(id) JOIN {g}."RUNS_IN" r ON r.end_id = f.id::ag_catalog.graphid ORDER BY 1 LIMIT $2`
	guestsAmong    = `SELECT DISTINCT i.start_id::text FROM unnest($1::text[]) f(id) JOIN {g}."CHILD_NIC" n ON n.start_id = f.id::ag_catalog.graphid
		JOIN {g}."HAS_NIC" o ON o.end_id = n.end_id JOIN {g}."HAS_INTERFACE" i ON i.end_id = o.start_id ORDER BY 1 LIMIT $2`
	servicesOfAll = `SELECT DISTINCT r.end_id::text FROM unnest($1::text[]) f(id) JOIN {g}."RUNS" r ON r.start_id = f.id::ag_catalog.graphid ORDER BY 1 LIMIT $2`
	servicesNamed = `SELECT s.id::text FROM {g}."Service" s WHERE {name} = ($1::text)::ag_catalog.agtype ORDER BY 1 LIMIT $2`
	endpointsAt   = `SELECT e.id::text FROM {g}."Address" a JOIN {g}."AT" x ON x.end_id = a.id JOIN {g}."Endpoint" e ON e.id = x.start_id
		WHERE {ip} = ($1::text)::ag_catalog.agtype AND ($3 = 0 OR (e.properties ->> 'port'::text)::bigint = $3) ORDER BY 1 LIMIT $2`
	listenersAt = `SELECT DISTINCT l.start_id::text FROM unnest($1::text[]) f(id) JOIN {g}."LISTENS_ON" l ON l.end_id = f.id::ag_catalog.graphid ORDER BY 1 LIMIT $2`
)

// find looks an entity up.
func (e entity) find(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, parameter string) (s start, err error) {
	ids := func(sql string, arguments ...any) []string {
		if err != nil {
			return nil
		}
		sql = strings.NewReplacer("{g}", store.Graph(tenant), "{key}", store.Access("h.properties", store.KeyProperty),
			"{name}", store.Access("s.properties", "name"), "{ip}", store.Access("a.properties", "ip")).Replace(sql)
		rows, failed := tx.Query(ctx, sql, arguments...)
		var found []string
		if failed == nil {
			found, failed = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if failed != nil {
			err = fmt.Errorf("looking up %s: %w", parameter, failed)
		}
		return found
	}
	// Guests with a probe are hosts of their own, which may have guests again.
	guests := func(children []string) (within []string) {
		met := map[string]bool{}
		for range maxNested {
			var next []string
			for _, host := range ids(guestsAmong, children, maxMet) {
				if !met[host] {
					met[host] = true
					next = append(next, host)
				}
			}
			if len(next) == 0 {
				break
			}
			within = append(within, ids(servicesOfAll, next, maxMet)...)
			children = ids(childrenOf, next, maxMet)
		}
		return within
	}
	if e.address.IsValid() {
		s.endpoints = ids(endpointsAt, `"`+e.address.String()+`"`, maxMet, int64(e.port))
		s.services = ids(listenersAt, s.endpoints, maxMet)
		if err == nil && len(s.endpoints) == 0 {
			err = &BadParameter{parameter, "is an address at which nobody listens and that nobody uses"}
		}
		return s, err
	}
	if e.word != "service" && e.word != "child" {
		host, failed := findHost(ctx, tx, e.name)
		switch {
		case failed != nil:
			return s, failed
		case host != "":
			key := `"` + host + `"`
			s.services = ids(servicesOfHost, key, maxMet)
			s.within = guests(ids(childrenOf, ids(hostsKeyed, key, 1), maxMet))
			return s, err
		case e.word == "host":
			return s, &BadParameter{parameter, "names no enrolled host, or several: use the id"}
		}
	}
	name, err := json.Marshal(e.name)
	if err != nil {
		return s, fmt.Errorf("encoding parameter %s: %w", parameter, err)
	}
	if e.word != "child" {
		s.services = ids(servicesNamed, string(name), maxMet)
	}
	if e.word == "service" || len(s.services) > 0 || err != nil {
		if err == nil && len(s.services) == 0 {
			err = &BadParameter{parameter, "names no service"}
		}
		return s, err
	}
	children := ids(childrenNamed, string(name), maxMet)
	s.services, s.within = ids(servicesInside, children, maxMet), guests(children)
	if err == nil && len(children) == 0 {
		err = &BadParameter{parameter, "names no host, service or child; host:NAME, service:NAME, child:NAME, an address or address:port"}
	}
	return s, err
}
