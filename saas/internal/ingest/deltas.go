package ingest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/projectors"
	"assimilation/tenancy"
)

// deltas is the net effect of the batch on the graph, per fact: what the current
// fact says against what the one before the batch said.
func (b *batch) deltas(ctx context.Context) ([]cmdb.Delta, error) {
	var deltas []cmdb.Delta
	for _, h := range b.hosts {
		if h.changed && !h.Retired {
			deltas = append(deltas, cmdb.Diff(h.elements, h.project()))
		}
	}
	g := groups{parts: map[factKey]*part{}, with: map[factKey][]factKey{}}
	var changed []factKey
	for _, k := range b.order {
		if !equal(b.facts[k].before, b.facts[k].now) {
			changed = append(changed, k)
		}
	}
	if err := b.readParts(ctx, &g, changed); err != nil {
		return nil, err
	}
	for _, keys := range g.all(changed) {
		var before, now []cmdb.Elements
		for _, k := range keys {
			before, now = append(before, g.parts[k].before), append(now, g.parts[k].now)
		}
		deltas = append(deltas, cmdb.Diff(joined(before), joined(now)))
	}
	return deltas, nil
}

// groups are the facts that are projected together.
type groups struct {
	parts map[factKey]*part
	with  map[factKey][]factKey
}

// all lists the groups of the changed facts, each once.
func (g *groups) all(changed []factKey) [][]factKey {
	var all [][]factKey
	done := map[factKey]bool{}
	for _, k := range changed {
		if done[k] {
			continue
		}
		done[k] = true
		group := []factKey{k}
		for i := 0; i < len(group); i++ {
			for _, other := range g.with[group[i]] {
				if !done[other] {
					done[other] = true
					group = append(group, other)
				}
			}
		}
		all = append(all, group)
	}
	return all
}

// readParts projects the changed facts and, where that may matter, those that
// they hang on or that hang on them.
func (b *batch) readParts(ctx context.Context, g *groups, changed []factKey) error {
	follow := map[factKey]bool{} // what these need is read too
	for _, k := range changed {
		follow[k] = true
	}
	for next := changed; len(next) > 0; {
		if err := b.loadParts(ctx, g, next); err != nil {
			return err
		}
		var further []factKey
		reach := func(from factKey, name discovery.FactName, on bool) {
			to := factKey{from.host, name.Kind, name.Instance}
			g.with[from], g.with[to] = append(g.with[from], to), append(g.with[to], from)
			if g.parts[to] == nil || !on && !follow[to] {
				further = append(further, to)
			}
			follow[to] = follow[to] || !on
		}
		for _, k := range next {
			if !follow[k] {
				continue // it is there for its vertices only
			}
			on, by := linked.needs(discovery.FactName{Kind: k.kind, Instance: k.instance}, g.parts[k])
			for _, name := range on {
				reach(k, name, true)
			}
			for _, name := range by {
				reach(k, name, false)
			}
		}
		next = further
	}
	return nil
}

// loadParts projects what is not projected yet.
func (b *batch) loadParts(ctx context.Context, g *groups, keys []factKey) error {
	var missing, unknown []factKey
	for _, k := range keys {
		if g.parts[k] != nil {
			continue
		}
		g.parts[k] = &part{}
		missing = append(missing, k)
		if b.facts[k] == nil {
			unknown = append(unknown, k)
		}
	}
	if err := b.loadCompanions(ctx, unknown); err != nil {
		return err
	}
	stored, err := b.storedBodies(ctx, missing)
	if err != nil {
		return err
	}
	for _, k := range missing {
		f, p := b.facts[k], g.parts[k]
		p.before, p.changed = b.projectStored(k, f.before, stored), !equal(f.before, f.now)
		if p.now = f.elements; !f.projected {
			p.now = p.before // the same fact as before
		}
	}
	return nil
}

// loadCompanions reads facts that the batch does not touch.
func (b *batch) loadCompanions(ctx context.Context, keys []factKey) error {
	if len(keys) == 0 {
		return nil
	}
	var hosts []tenancy.HostID
	var kinds, instances []string
	for _, k := range keys {
		b.facts[k] = &fact{}
		hosts, kinds, instances = append(hosts, k.host), append(kinds, k.kind), append(instances, k.instance)
	}
	rows, err := b.tx.Query(ctx, `
		SELECT f.host, f.kind, f.instance, f.hash FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k(host, kind, instance)
		JOIN assim.facts f ON f.tenant = $4 AND f.host = k.host AND f.kind = k.kind AND f.instance = k.instance`, hosts, kinds, instances, b.from.Tenant)
	if err != nil {
		return fmt.Errorf("reading facts that others hang on: %w", err)
	}
	var k factKey
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&k.host, &k.kind, &k.instance, &hash}, func() error {
		h := discovery.Hash(hash)
		b.facts[k].before, b.facts[k].now = &h, &h
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading facts that others hang on: %w", err)
	}
	return nil
}

func equal(a, b *discovery.Hash) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// storedBodies reads the bodies that were current before the batch.
func (b *batch) storedBodies(ctx context.Context, keys []factKey) (map[discovery.Hash]discovery.Fact, error) {
	var hashes [][]byte
	for _, k := range keys {
		if _, ok := projectors.ByKind(k.kind); ok && b.facts[k].before != nil {
			hashes = append(hashes, b.facts[k].before[:])
		}
	}
	return readBodies(ctx, b.tx, b.Service, hashes)
}

func readBodies(ctx context.Context, tx pgx.Tx, s *Service, hashes [][]byte) (map[discovery.Hash]discovery.Fact, error) {
	facts := make(map[discovery.Hash]discovery.Fact, len(hashes))
	if len(hashes) == 0 {
		return facts, nil
	}
	rows, err := tx.Query(ctx, `SELECT hash, kind, schema, body FROM assim.fact_bodies WHERE hash = ANY($1)`, hashes)
	if err != nil {
		return nil, fmt.Errorf("reading bodies: %w", err)
	}
	var hash, packed []byte
	var f discovery.Fact
	_, err = pgx.ForEachRow(rows, []any{&hash, &f.Kind, &f.Version, &packed}, func() error {
		f.Hash = discovery.Hash(hash)
		var err error
		if f.Body, err = s.unpack.DecodeAll(packed, nil); err != nil {
			s.log.Error("a stored body is damaged", "hash", f.Hash, "error", err)
			return nil
		}
		facts[f.Hash] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading bodies: %w", err)
	}
	return facts, nil
}

// projectStored projects a fact that was taken in before, nil for none. One that
// this program does not understand any more, or that is damaged, must not hold
// up what replaces it: a rebuild takes out what it left in the graph.
func (b *batch) projectStored(k factKey, hash *discovery.Hash, stored map[discovery.Hash]discovery.Fact) cmdb.Elements {
	if hash == nil {
		return cmdb.Elements{}
	}
	if _, ok := projectors.ByKind(k.kind); !ok {
		return cmdb.Elements{}
	}
	e, err := b.projectAnew(k, *hash, stored)
	if err != nil {
		b.log.Error("a stored fact is not understood; the graph may hold what it said until it is rebuilt", "tenant", b.from.Tenant, "error", err)
		return cmdb.Elements{}
	}
	return e
}

func (b *batch) projectAnew(k factKey, hash discovery.Hash, stored map[discovery.Hash]discovery.Fact) (cmdb.Elements, error) {
	f, ok := stored[hash]
	if !ok {
		return cmdb.Elements{}, fmt.Errorf("body %s of fact %s of host %s is missing", hash, k.subject(), k.host)
	}
	f.Instance = k.instance
	e, err := project(b.hosts[k.host].ref(), f)
	if err != nil {
		return cmdb.Elements{}, fmt.Errorf("projecting fact %s of host %s anew: %w", k.subject(), k.host, err)
	}
	return e, nil
}
