package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/projectors"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

type factKey struct {
	host           tenancy.HostID
	kind, instance string
}

func (k factKey) subject() string { return k.kind + "/" + k.instance }

// fact is a row of assim.facts, before the batch and now. A fact that went keeps
// its term and version, so that a late record does not bring it back.
type fact struct {
	before, now   *discovery.Hash // nil: there is none
	term, version uint64
	seenAt        time.Time
	moved         bool // term or version rose
	// elements of now, once it was projected.
	elements  cmdb.Elements
	projected bool
}

// body is a fact's content that the batch brought.
type body struct {
	kind   string
	schema int
	json   []byte
}

// version is a row of assim.fact_versions.
type version struct {
	key                  factKey
	seenAt               time.Time
	observedAt           *time.Time
	hash, previous       *discovery.Hash
	term, version, place uint64
}

// loadFacts reads the facts named and, of those that went, their last version.
func (b *batch) loadFacts(ctx context.Context, keys []factKey) error {
	b.facts = make(map[factKey]*fact, len(keys))
	var hosts []tenancy.HostID
	var kinds, instances []string
	for _, k := range keys {
		if b.facts[k] == nil {
			b.facts[k] = &fact{}
			b.order = append(b.order, k)
			hosts, kinds, instances = append(hosts, k.host), append(kinds, k.kind), append(instances, k.instance)
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	rows, err := b.tx.Query(ctx, `
		SELECT k.host, k.kind, k.instance, f.hash, coalesce(f.term, v.term), coalesce(f.version, v.version)
		FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k(host, kind, instance)
		LEFT JOIN assim.facts f ON f.tenant = $4 AND f.host = k.host AND f.kind = k.kind AND f.instance = k.instance
		LEFT JOIN LATERAL (
			SELECT term, version FROM assim.fact_versions v
			WHERE f.hash IS NULL AND v.tenant = $4 AND v.host = k.host AND v.kind = k.kind AND v.instance = k.instance
			ORDER BY v.at DESC, v.term DESC, v.version DESC LIMIT 1) v ON true
		WHERE f.hash IS NOT NULL OR v.term IS NOT NULL`, hosts, kinds, instances, b.from.Tenant)
	if err != nil {
		return fmt.Errorf("reading facts: %w", err)
	}
	var k factKey
	var hash []byte
	var term, version uint64
	_, err = pgx.ForEachRow(rows, []any{&k.host, &k.kind, &k.instance, &hash, &term, &version}, func() error {
		f := b.facts[k]
		f.term, f.version = term, version
		if hash != nil {
			h := discovery.Hash(hash)
			f.before, f.now = &h, &h
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading facts: %w", err)
	}
	return b.countInstances(ctx, hosts, kinds)
}

type instancesOf struct {
	host tenancy.HostID
	kind string
}

func (b *batch) countInstances(ctx context.Context, hosts []tenancy.HostID, kinds []string) error {
	b.instances = map[instancesOf]int{}
	rows, err := b.tx.Query(ctx, `
		SELECT f.host, f.kind, count(*)
		FROM (SELECT DISTINCT host, kind FROM unnest($1::uuid[], $2::text[]) AS k(host, kind)) k
		JOIN assim.facts f ON f.tenant = $3 AND f.host = k.host AND f.kind = k.kind GROUP BY 1, 2`, hosts, kinds, b.from.Tenant)
	if err != nil {
		return fmt.Errorf("counting facts: %w", err)
	}
	var of instancesOf
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&of.host, &of.kind, &n}, func() error { b.instances[of] = n; return nil }); err != nil {
		return fmt.Errorf("counting facts: %w", err)
	}
	return nil
}

// admitted reports whether a record about a fact may be applied: its host is one
// of the site's, and the record is newer than what is held.
func (b *batch) admitted(c uplink.Change) (*host, *fact, bool) {
	h := b.hosts[c.Host]
	switch {
	case h == nil && b.isRefused(c.Host):
		b.refusal[wire.OverQuota]++ // its relay is asked for it when there is room
		return nil, nil, false
	case h == nil:
		b.refuse(c, wire.NotEnrolled, "fact of a host that was never introduced")
		return nil, nil, false
	case h.Site != b.from.Site:
		b.refuse(c, wire.WrongSite, "the host belongs to another site")
		return nil, nil, false
	case h.Retired:
		b.refusal[wire.Revoked]++ // its relay learns it with the next orders
		return nil, nil, false
	}
	f := b.facts[factKey{c.Host, c.Kind, c.Instance}]
	if c.Term < f.term || c.Term == f.term && c.Version <= f.version {
		b.refusal[wire.Replayed]++ // overtaken by a newer record, or sent twice
		return nil, nil, false
	}
	return h, f, true
}

func (b *batch) putFact(c uplink.Change) {
	h, f, ok := b.admitted(c)
	if !ok {
		return
	}
	key, hash := factKey{c.Host, c.Kind, c.Instance}, discovery.Hash(c.Hash)
	if f.now == nil || *f.now != hash {
		if f.now == nil && b.instances[instancesOf{c.Host, c.Kind}] >= discovery.MaxInstances {
			b.refuse(c, wire.TooLarge, fmt.Sprintf("more than %d instances of this kind", discovery.MaxInstances))
			return
		}
		candidate := discovery.Fact{Kind: c.Kind, Instance: c.Instance, Version: int(c.Schema), Body: c.Body, Hash: hash}
		elements, err := check(h.ref(), candidate)
		if err != nil {
			b.refuseFact(c, err)
			return
		}
		b.bodies[hash] = body{c.Kind, int(c.Schema), c.Body}
		b.note(c, f, &hash)
		f.elements, f.projected = elements, true
		seen := wallClock(c.SeenAt)
		if seen.After(b.at) {
			seen = b.at // or a clock that ran ahead once would make this the newest change for years
		}
		if seen.After(h.ChangedAt) {
			h.ChangedAt, h.changed = seen, true
		}
	}
	f.term, f.version, f.moved = c.Term, c.Version, true
	b.close(key.host, ruleRefusedFact, key.subject(), wallClock(c.SeenAt))
}

func (b *batch) dropFact(c uplink.Change) {
	_, f, ok := b.admitted(c)
	if !ok {
		return
	}
	if f.now != nil {
		b.note(c, f, nil)
		f.elements, f.projected = cmdb.Elements{}, true
	}
	f.term, f.version, f.moved = c.Term, c.Version, true
	b.close(c.Host, ruleRefusedFact, c.Kind+"/"+c.Instance, wallClock(c.SeenAt))
}

// note records a version of a fact and makes it the current one.
func (b *batch) note(c uplink.Change, f *fact, hash *discovery.Hash) {
	v := version{
		key: factKey{c.Host, c.Kind, c.Instance}, seenAt: wallClock(c.SeenAt), hash: hash, previous: f.now,
		term: c.Term, version: c.Version, place: c.Seq,
	}
	if c.ObservedAt != 0 {
		observed := wallClock(c.ObservedAt)
		v.observedAt = &observed
	}
	b.versions = append(b.versions, v)
	of := instancesOf{c.Host, c.Kind}
	switch {
	case f.now == nil:
		b.instances[of]++
	case hash == nil:
		b.instances[of]--
	}
	f.now, f.seenAt = hash, v.seenAt
}

// check judges a fact and projects it. Kinds without a projector have no
// elements.
func check(h discovery.HostRef, f discovery.Fact) (cmdb.Elements, error) {
	if err := f.Check(); err != nil {
		return cmdb.Elements{}, err
	}
	return project(h, f)
}

func project(h discovery.HostRef, f discovery.Fact) (cmdb.Elements, error) {
	p, ok := projectors.ByKind(f.Kind)
	if !ok {
		return cmdb.Elements{}, nil
	}
	e, err := p.Project(h, f)
	if err != nil {
		return cmdb.Elements{}, err
	}
	return e, e.Check()
}
