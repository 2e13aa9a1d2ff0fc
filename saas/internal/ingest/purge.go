package ingest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/kinds"
	"assimilation/discovery/residency"
	"assimilation/tenancy"
)

// ForgetTopology takes what says where the hosts of a site stand out of facts,
// graph and history, for good. It runs in a writer's transaction of the tenant
// and makes it the tenant's only one.
func (s *Service) ForgetTopology(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, site tenancy.SiteID) error {
	at, err := lock(ctx, tx, tenant)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return fmt.Errorf("setting up the purge of a site: %w", err)
	}
	rows, err := tx.Query(ctx, selectHosts+` WHERE h.site = $1`, site)
	if err != nil {
		return fmt.Errorf("reading the hosts of a site: %w", err)
	}
	hosts, err := pgx.CollectRows(rows, scanHost)
	if err != nil {
		return fmt.Errorf("reading the hosts of a site: %w", err)
	}
	p := purge{Service: s, tx: tx, site: site, hosts: map[tenancy.HostID]*host{}, refs: map[element]bool{}}
	for _, kind := range kinds.All() {
		if extent := s.rules.Extent(kind.Name, kind.Version); extent == residency.Nothing || extent == residency.Part {
			p.kinds = append(p.kinds, kind.Name)
		}
	}
	for _, h := range hosts {
		p.hosts[h.ID] = h
	}
	deltas, err := p.labels(ctx)
	if err != nil {
		return err
	}
	more, err := p.facts(ctx)
	if err != nil {
		return err
	}
	// The graph's undo takes note of what goes; that goes with the rest of it.
	if _, err := s.graph.Apply(ctx, tx, tenant, append(deltas, more...), at); err != nil {
		return fmt.Errorf("taking topology out of the graph: %w", err)
	}
	if err := p.history(ctx); err != nil {
		return err
	}
	s.log.Info("a site's topology was forgotten", "tenant", tenant, "site", site, "hosts", len(hosts), "kinds", strings.Join(p.kinds, " "))
	return nil
}

// purge is the work of one ForgetTopology.
type purge struct {
	*Service
	tx    pgx.Tx
	site  tenancy.SiteID
	kinds []string
	hosts map[tenancy.HostID]*host
	// refs are the elements that only topology speaks of, now or once.
	refs map[element]bool
}

// element names a row of undo: a vertex, or an edge.
type element struct{ label, key, toKey string }

// labels takes the places out of the hosts' labels.
func (p *purge) labels(ctx context.Context) ([]cmdb.Delta, error) {
	given, err := tokenLabels(ctx, p.tx, p.site)
	if err != nil {
		return nil, err
	}
	var deltas []cmdb.Delta
	for _, h := range p.hosts {
		left := withoutPlaces(h.Labels, given[h.Token])
		if len(left) == len(h.Labels) {
			continue
		}
		h.Labels = left
		if _, err := p.tx.Exec(ctx, `UPDATE assim.hosts SET labels = $2 WHERE id = $1`, h.ID, left); err != nil {
			return nil, fmt.Errorf("taking places out of a host's labels: %w", err)
		}
		if !h.Retired {
			deltas = append(deltas, cmdb.Diff(h.elements, h.project()))
		}
	}
	return deltas, nil
}

// facts finds what facts of topology, current and former, say, and how the graph
// is without.
func (p *purge) facts(ctx context.Context) ([]cmdb.Delta, error) {
	wanted := slices.Clone(p.kinds)
	for _, kind := range p.kinds {
		wanted = append(wanted, linked.kinds(kind)...)
	}
	with, without := map[tenancy.HostID][]cmdb.Elements{}, map[tenancy.HostID][]cmdb.Elements{}
	err := p.eachBody(ctx, `
		SELECT f.host, f.kind, f.instance, f.hash, b.schema, b.body FROM assim.facts f
		JOIN assim.fact_bodies b ON b.tenant = f.tenant AND b.hash = f.hash
		JOIN assim.hosts h ON h.tenant = f.tenant AND h.id = f.host WHERE h.site = $1 AND f.kind = ANY($2)`, wanted,
		func(host tenancy.HostID, f discovery.Fact, e cmdb.Elements) {
			with[host] = append(with[host], e)
			if !slices.Contains(p.kinds, f.Kind) {
				without[host] = append(without[host], e)
			}
		})
	if err != nil {
		return nil, err
	}
	err = p.eachBody(ctx, `
		SELECT DISTINCT v.host, v.kind, v.instance, v.hash, b.schema, b.body FROM assim.fact_versions v
		JOIN assim.fact_bodies b ON b.tenant = v.tenant AND b.hash = v.hash
		JOIN assim.hosts h ON h.tenant = v.tenant AND h.id = v.host WHERE h.site = $1 AND v.kind = ANY($2)`, p.kinds,
		func(_ tenancy.HostID, _ discovery.Fact, e cmdb.Elements) { p.note(e) })
	if err != nil {
		return nil, err
	}
	var deltas []cmdb.Delta
	for host, parts := range with {
		if !p.hosts[host].Retired {
			deltas = append(deltas, cmdb.Diff(joined(parts), joined(without[host])))
		}
	}
	return deltas, nil
}

// note remembers the elements of a projection of topology. A vertex of the host
// itself, or of a link, that the projection leans on is not its own.
func (p *purge) note(e cmdb.Elements) {
	for _, v := range e.Vertices {
		if v.Ref.Label != cmdb.Host && v.Ref.Label != cmdb.Interface {
			p.refs[element{string(v.Ref.Label), v.Ref.Key, ""}] = true
		}
	}
	for _, edge := range e.Edges {
		p.refs[element{string(edge.Type), edge.From.Key, edge.To.Key}] = true
	}
}

func (p *purge) eachBody(ctx context.Context, sql string, kinds []string, fn func(tenancy.HostID, discovery.Fact, cmdb.Elements)) error {
	rows, err := p.tx.Query(ctx, sql, p.site, kinds)
	if err != nil {
		return fmt.Errorf("reading facts of topology: %w", err)
	}
	var id tenancy.HostID
	var f discovery.Fact
	var hash, packed []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &f.Kind, &f.Instance, &hash, &f.Version, &packed}, func() error {
		body, err := p.unpack.DecodeAll(packed, nil)
		if err != nil {
			return nil // what cannot be read is in no graph
		}
		f.Hash, f.Body = discovery.Hash(hash), body
		if e, err := project(p.hosts[id].ref(), f); err == nil {
			fn(id, f, e)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading facts of topology: %w", err)
	}
	return nil
}

// history deletes facts, their versions and bodies, the graph's undo and what
// was said of them.
func (p *purge) history(ctx context.Context) error {
	ids := slices.Collect(maps.Keys(p.hosts))
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = id.String()
	}
	var labels, from, to []string
	for e := range p.refs {
		labels, from, to = append(labels, e.label), append(from, e.key), append(to, e.toKey)
	}
	held, err := p.heldLabels(ctx, keys)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{`DELETE FROM assim.facts WHERE host = ANY($1) AND kind = ANY($2)`, []any{ids, p.kinds}},
		{`SELECT assim.forget_topology($1, $2, $3, $4, $5, $6)`, []any{ids, p.kinds, labels, from, to, held}},
		{`DELETE FROM assim.fact_bodies b WHERE kind = ANY($1)
			AND NOT EXISTS (SELECT FROM assim.facts f WHERE f.tenant = b.tenant AND f.kind = b.kind AND f.hash = b.hash)
			AND NOT EXISTS (SELECT FROM assim.fact_versions v WHERE v.tenant = b.tenant AND v.kind = b.kind AND (v.hash = b.hash OR v.previous = b.hash))`, []any{p.kinds}},
		{`DELETE FROM assim.findings WHERE host = ANY($1) AND split_part(subject, '/', 1) = ANY($2)`, []any{ids, p.kinds}},
	} {
		if _, err := p.tx.Exec(ctx, step.sql, step.args...); err != nil {
			return fmt.Errorf("deleting topology from history: %w", err)
		}
	}
	return nil
}

// heldLabels lists the names of labels in the undo of these hosts that name a
// place.
func (p *purge) heldLabels(ctx context.Context, keys []string) ([]string, error) {
	rows, err := p.tx.Query(ctx, `
		SELECT DISTINCT split_part(l, '=', 1) FROM assim.undo u, jsonb_array_elements_text(u.before -> 'labels') l
		WHERE u.label = 'Host' AND u.key = ANY($1) AND u.before ? 'labels'`, keys)
	if err != nil {
		return nil, fmt.Errorf("reading former labels: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading former labels: %w", err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !residency.PlaceLabel(name) }), nil
}
