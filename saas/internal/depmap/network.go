package depmap

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// maxAddresses bounds the addresses and links that are drawn of a network.
const maxAddresses = 1500

// attachment is an address of a host and the subnet that it is in.
type attachment struct {
	Host, Interface, Address, IP string
	Subnet, CIDR                 *string // nil: in none that is known
}

// plug says that a host's link ends at a switch port.
type plug struct {
	Host, Interface, Chassis, Switch, Port string
}

// readNetwork reads addresses, subnets and switches of the hosts; a scope of one
// host takes in those that share a subnet with it.
func (s *sight) readNetwork(ctx context.Context, tx pgx.Tx, graph string, scope Scope) error {
	if scope.Host != "" || scope.Subnet != "" {
		if err := s.readNeighbours(ctx, tx, graph, scope); err != nil {
			return err
		}
	}
	rows, err := tx.Query(ctx, expand(graph, `
		SELECT h.properties ->> 'key'::text, i.properties ->> 'name'::text, a.properties ->> 'key'::text, a.properties ->> 'ip'::text,
			n.properties ->> 'key'::text, n.properties ->> 'cidr'::text, count(*) OVER ()
		FROM {hosts} h JOIN {HAS_INTERFACE} hi ON hi.start_id = h.id JOIN {Interface} i ON i.id = hi.end_id
		JOIN {HAS_ADDRESS} e ON e.start_id = i.id JOIN {Address} a ON a.id = e.end_id
		LEFT JOIN ({IN_SUBNET} j JOIN {Subnet} n ON n.id = j.end_id) ON j.start_id = i.id AND (a.properties ->> 'ip'::text)::inet <<= (n.properties ->> 'cidr'::text)::inet
		WHERE NOT starts_with(a.properties ->> 'realm'::text, 'host:') AND ($2 = '' OR n.properties ->> 'cidr'::text = $2)
		ORDER BY 1, 2, 3, 5 LIMIT $3`), s.keys(), scope.Subnet, maxAddresses)
	if err != nil {
		return err
	}
	total := 0
	s.attachments, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (a attachment, err error) {
		err = row.Scan(&a.Host, &a.Interface, &a.Address, &a.IP, &a.Subnet, &a.CIDR, &total)
		return a, err
	})
	if err != nil {
		return fmt.Errorf("reading addresses: %w", err)
	}
	s.leftOut.Links += max(0, total-len(s.attachments))
	rows, err = tx.Query(ctx, expand(graph, `
		SELECT h.properties ->> 'key'::text, i.properties ->> 'name'::text, p.properties ->> 'chassis'::text, coalesce(w.properties ->> 'name'::text, ''),
			p.properties ->> 'port'::text
		FROM {hosts} h JOIN {HAS_INTERFACE} hi ON hi.start_id = h.id JOIN {Interface} i ON i.id = hi.end_id
		JOIN {WIRED_TO} w ON w.start_id = i.id JOIN {SwitchPort} p ON p.id = w.end_id ORDER BY 1, 2, 3, 5 LIMIT $2`), s.keys(), maxAddresses)
	if err != nil {
		return err
	}
	if s.plugs, err = pgx.CollectRows(rows, pgx.RowToStructByPos[plug]); err != nil {
		return fmt.Errorf("reading switch ports: %w", err)
	}
	return nil
}

// readNeighbours adds the hosts with a link in the subnet, or those that share
// one with the host.
func (s *sight) readNeighbours(ctx context.Context, tx pgx.Tx, graph string, scope Scope) error {
	rows, err := tx.Query(ctx, expand(graph, `
		SELECT key, count(*) OVER () FROM (SELECT DISTINCT h.properties ->> 'key'::text AS key
		FROM {Subnet} n JOIN {IN_SUBNET} j ON j.end_id = n.id JOIN {HAS_INTERFACE} hi ON hi.end_id = j.start_id JOIN {Host} h ON h.id = hi.start_id
		WHERE CASE WHEN $2 <> '' THEN n.properties ->> 'cidr'::text = $2 ELSE n.id IN (
			SELECT x.end_id FROM {hosts} o JOIN {HAS_INTERFACE} y ON y.start_id = o.id JOIN {IN_SUBNET} x ON x.start_id = y.end_id) END
			AND NOT starts_with(n.properties ->> 'realm'::text, 'host:')) k
		ORDER BY 1 LIMIT $3`), s.keys(), scope.Subnet, maxHosts)
	if err != nil {
		return err
	}
	var ids []string
	var id string
	total := 0
	if _, err := pgx.ForEachRow(rows, []any{&id, &total}, func() error { ids = append(ids, id); return nil }); err != nil {
		return fmt.Errorf("reading a subnet's hosts: %w", err)
	}
	s.leftOut.Hosts += total - len(ids)
	if scope.Subnet != "" {
		s.title = scope.Subnet
	}
	known := map[string]bool{}
	for _, h := range s.hosts {
		known[h.ID] = true
	}
	var others []string
	for _, id := range ids {
		if !known[id] {
			others = append(others, id)
		}
	}
	return s.addHosts(ctx, tx, others)
}

// addNetwork draws a host's addresses within it, the subnets that they are in to
// its right, and the switches that it is wired to at its left.
func (p *picture) addNetwork(s sight) {
	for _, a := range s.attachments {
		host := p.byID[a.Host]
		if host == nil {
			continue
		}
		at := p.endpoints["address:"+a.Address]
		if at == nil {
			at = &endpoint{node: Node{ID: "address:" + a.Address, Kind: IPNode, Label: a.IP, Detail: a.Interface, Parent: host.node.ID}}
			p.endpoints["address:"+a.Address] = at
			own := host.service("addresses:"+host.node.ID, "")
			own.hidden = true
			own.endpoints = append(own.endpoints, at)
		}
		if a.Subnet == nil {
			continue
		}
		id := "subnet:" + *a.Subnet
		if p.byID[id] == nil {
			p.add(&box{node: Node{ID: id, Kind: SubnetNode, Label: *a.CIDR, Href: "/map?type=network&subnet=" + strings.ReplaceAll(*a.CIDR, "/", "%2F")}})
		}
		p.join(Within, at.node.ID, id)
		p.relate(host, p.byID[id])
	}
	for _, w := range s.plugs {
		host, id := p.byID[w.Host], "switch:"+w.Chassis
		if host == nil {
			continue
		}
		if p.byID[id] == nil {
			label := w.Switch
			if label == "" {
				label = w.Chassis
			}
			p.add(&box{node: Node{ID: id, Kind: SwitchNode, Label: label, Detail: w.Chassis}})
		}
		sw := p.byID[id]
		port := p.endpoints[id+":"+w.Port]
		if port == nil {
			port = &endpoint{node: Node{ID: id + ":" + w.Port, Kind: PortNode, Label: w.Port, Parent: id}}
			p.endpoints[id+":"+w.Port] = port
			own := sw.service(id, "")
			own.hidden = true
			own.endpoints = append(own.endpoints, port)
		}
		p.join(Wired, port.node.ID, host.node.ID)
		p.relate(sw, host)
	}
}
