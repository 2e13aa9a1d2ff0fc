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

// entity is a thing that a person named: host:NAME, service:NAME, an address,
// or an address and port. Without a word before it, a name is that of a host,
// else of services.
type entity struct {
	word    string // host, service or ""
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
	for _, word := range []string{"host", "service"} {
		if name, ok := strings.CutPrefix(s, word+":"); ok && name != "" {
			return entity{word: word, name: name}, nil
		}
	}
	return entity{name: s}, nil
}

// start is where a walk begins: services, and endpoints at which no service of
// an enrolled host need listen.
type start struct {
	services, endpoints []string // ids, as text
}

const (
	servicesOfHost = `SELECT r.end_id::text FROM {g}."Host" h JOIN {g}."RUNS" r ON r.start_id = h.id WHERE {key} = ($1::text)::ag_catalog.agtype ORDER BY 1 LIMIT $2`
	servicesNamed  = `SELECT s.id::text FROM {g}."Service" s WHERE {name} = ($1::text)::ag_catalog.agtype ORDER BY 1 LIMIT $2`
	endpointsAt    = `SELECT e.id::text FROM {g}."Address" a JOIN {g}."AT" x ON x.end_id = a.id JOIN {g}."Endpoint" e ON e.id = x.start_id
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
	if e.address.IsValid() {
		s.endpoints = ids(endpointsAt, `"`+e.address.String()+`"`, maxMet, int64(e.port))
		s.services = ids(listenersAt, s.endpoints, maxMet)
		if err == nil && len(s.endpoints) == 0 {
			err = &BadParameter{parameter, "is an address at which nobody listens and that nobody uses"}
		}
		return s, err
	}
	if e.word != "service" {
		host, failed := findHost(ctx, tx, e.name)
		switch {
		case failed != nil:
			return s, failed
		case host != "":
			s.services = ids(servicesOfHost, `"`+host+`"`, maxMet)
			return s, err
		case e.word == "host":
			return s, &BadParameter{parameter, "names no enrolled host, or several: use the id"}
		}
	}
	name, err := json.Marshal(e.name)
	if err != nil {
		return s, fmt.Errorf("encoding parameter %s: %w", parameter, err)
	}
	s.services = ids(servicesNamed, string(name), maxMet)
	if err == nil && len(s.services) == 0 {
		err = &BadParameter{parameter, "names no host and no service; host:NAME, service:NAME, an address or address:port"}
	}
	return s, err
}
