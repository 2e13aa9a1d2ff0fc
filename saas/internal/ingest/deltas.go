package ingest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/projectors"
)

// linked lists the kinds with which one is projected together: the one that it
// leans on, and those that lean on it.
func linked(kind string) []string {
	var kinds []string
	for _, p := range projectors.All() {
		leaning, ok := p.(discovery.Leaning)
		switch {
		case !ok:
		case p.Kind().Name == kind:
			kinds = append(kinds, leaning.LeansOn())
		case leaning.LeansOn() == kind:
			kinds = append(kinds, p.Kind().Name)
		}
	}
	return kinds
}

// deltas is the net effect of the batch on the graph, per fact: what the current
// fact says against what the one before the batch said.
func (b *batch) deltas(ctx context.Context) ([]cmdb.Delta, error) {
	var deltas []cmdb.Delta
	for _, h := range b.hosts {
		if h.changed && !h.Retired {
			deltas = append(deltas, cmdb.Diff(h.elements, h.project()))
		}
	}
	changed := map[factKey]bool{}
	for _, k := range b.order {
		if !equal(b.facts[k].before, b.facts[k].now) {
			changed[k] = true
		}
	}
	stored, err := b.storedBodies(ctx, changed)
	if err != nil {
		return nil, err
	}
	done := map[factKey]bool{}
	for _, k := range b.order {
		if !changed[k] || done[k] {
			continue
		}
		group := []factKey{k}
		for _, kind := range linked(k.kind) {
			group = append(group, factKey{k.host, kind, ""})
		}
		var before, now []projection
		for _, k := range group {
			done[k] = true
			f := b.facts[k]
			old := b.projectStored(k, f.before, stored)
			before = append(before, projection{k.kind, old})
			if !f.projected {
				f.elements = old // the same fact as before
			}
			now = append(now, projection{k.kind, f.elements})
		}
		deltas = append(deltas, cmdb.Diff(joined(before), joined(now)))
	}
	return deltas, nil
}

// projection is what one fact of a kind says.
type projection struct {
	kind     string
	elements cmdb.Elements
}

// joined puts projections of one host together. Of a kind that leans on another
// it leaves out the edges whose vertices the other does not have, and the shared
// vertices that only those led to.
func joined(parts []projection) cmdb.Elements {
	var all cmdb.Elements
	made := map[cmdb.Ref]bool{}
	for _, p := range parts {
		for _, v := range p.elements.Vertices {
			made[v.Ref] = true
		}
	}
	led := map[cmdb.Ref]bool{}
	for _, p := range parts {
		for _, e := range p.elements.Edges {
			if e.From.Label == cmdb.Host || made[e.From] {
				all.Edges = append(all.Edges, e)
				led[e.To] = true
			}
		}
	}
	for _, p := range parts {
		for _, v := range p.elements.Vertices {
			if !cmdb.IsShared(v.Label) || led[v.Ref] {
				all.Vertices = append(all.Vertices, v)
			}
		}
	}
	return all
}

func equal(a, b *discovery.Hash) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// storedBodies reads the bodies that were current before the batch, of the facts
// that changed and those linked with them.
func (b *batch) storedBodies(ctx context.Context, changed map[factKey]bool) (map[discovery.Hash]discovery.Fact, error) {
	var hashes [][]byte
	add := func(k factKey) {
		if _, ok := projectors.ByKind(k.kind); ok && b.facts[k].before != nil {
			hashes = append(hashes, b.facts[k].before[:])
		}
	}
	for k := range changed {
		add(k)
		for _, kind := range linked(k.kind) {
			if other := (factKey{k.host, kind, ""}); !changed[other] {
				add(other)
			}
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
