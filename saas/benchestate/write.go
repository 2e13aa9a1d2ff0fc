package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/projectors"
	"assimilation/loadtest/estate"
	"assimilation/saas/internal/graph"
)

// filler writes hosts and their facts.
type filler struct {
	*place
	estate   *estate.Estate
	writer   *graph.Writer
	memo     projectors.Memo
	bodies   map[[32]byte]bool // that are stored
	versions map[int]int64     // by host
	facts    int
	elements int64
}

// batch is what one transaction of ingest would write.
type batch struct {
	at     time.Time
	size   int // hosts
	hosts  []estate.Host
	rows   []stored
	deltas []cmdb.Delta
}

// stored is a fact that came in.
type stored struct {
	host     estate.Host
	version  int64
	fact     discovery.Fact
	previous *discovery.Hash
}

func (b *batch) add(h estate.Host, version int64, f discovery.Fact, previous *discovery.Hash) {
	b.rows = append(b.rows, stored{h, version, f, previous})
}

// next counts the versions of a host.
func (f *filler) next(host int) int64 {
	f.versions[host]++
	return f.versions[host]
}

// enrol adds a new host with all its facts.
func (f *filler) enrol(b *batch, n, day int) error {
	h := f.estate.Host(n)
	facts, err := f.estate.Facts(n, day)
	if err != nil {
		return err
	}
	b.hosts = append(b.hosts, h)
	var all cmdb.Elements
	all.AddVertex(cmdb.Host, h.ID.String(), map[string]any{
		"name": h.Name, "state": "up", "site": h.Site.ID.String(), "agent_version": agentVersion, "os": h.OS, "arch": h.Arch,
	})
	for _, fact := range facts {
		say := f.memo.Project
		if day > 0 { // what others had may have been swept since
			say = project
		}
		e, err := say(refOf(h), fact)
		if err != nil {
			return fmt.Errorf("projecting %s/%s of host %s: %w", fact.Kind, fact.Instance, h.Name, err)
		}
		all.Vertices, all.Edges = append(all.Vertices, e.Vertices...), append(all.Edges, e.Edges...)
		b.add(h, f.next(n), fact, nil)
	}
	b.deltas = append(b.deltas, cmdb.Diff(cmdb.Elements{}, all))
	return nil
}

const agentVersion = "1.0.0"

func refOf(h estate.Host) discovery.HostRef {
	id := h.ID.String()
	return discovery.HostRef{ID: id, HostRealm: cmdb.HostRealm(id), SiteRealm: cmdb.SiteRealm(h.Site.ID.String())}
}

func project(host discovery.HostRef, f discovery.Fact) (cmdb.Elements, error) {
	var memo projectors.Memo
	return memo.Project(host, f)
}

// write stores a batch as ingest does: bodies, hosts, facts, versions, graph; but
// facts and graph at the same time.
func (f *filler) write(ctx context.Context, b *batch) error {
	var stats graph.Stats
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := f.store(ctx, b); err != nil {
			return fmt.Errorf("storing facts: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		err := f.db.In(ctx, f.tenant, func(tx pgx.Tx) (err error) {
			stats, err = f.writer.Apply(ctx, tx, f.tenant, b.deltas, b.at)
			return err
		})
		if err != nil {
			return fmt.Errorf("writing the graph: %w", err)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	f.facts += len(b.rows)
	f.elements += stats.Written()
	return nil
}

func (f *filler) store(ctx context.Context, b *batch) error {
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		return err
	}
	var hashes, packed, factHashes, previous [][]byte
	var bodyKinds, kinds, instances []string
	var schemas []int16
	var sizes []int32
	var owners, relays []string
	var versions []int64
	for _, r := range b.rows {
		if !f.bodies[r.fact.Hash] {
			f.bodies[r.fact.Hash] = true
			hashes, bodyKinds, schemas = append(hashes, r.fact.Hash[:]), append(bodyKinds, r.fact.Kind), append(schemas, int16(r.fact.Version))
			packed, sizes = append(packed, pack.EncodeAll(r.fact.Body, nil)), append(sizes, int32(len(r.fact.Body)))
		}
		owners, relays, kinds, instances = append(owners, r.host.ID.String()), append(relays, r.host.Site.Relay.String()), append(kinds, r.fact.Kind), append(instances, r.fact.Instance)
		factHashes, versions = append(factHashes, r.fact.Hash[:]), append(versions, r.version)
		if r.previous == nil {
			previous = append(previous, nil)
		} else {
			previous = append(previous, r.previous[:])
		}
	}
	queue := &pgx.Batch{}
	queue.Queue(`INSERT INTO assim.fact_bodies (tenant, hash, kind, schema, body, size)
		SELECT $1, * FROM unnest($2::bytea[], $3::text[], $4::smallint[], $5::bytea[], $6::integer[])`, f.tenant, hashes, bodyKinds, schemas, packed, sizes)
	f.storeHosts(queue, b)
	queue.Queue(`INSERT INTO assim.facts (tenant, host, kind, instance, hash, term, version, seen_at, at)
		SELECT $1, k.host, k.kind, k.instance, k.hash, 1, k.version, $2, $2
		FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::bigint[]) AS k(host, kind, instance, hash, version)
		ON CONFLICT (tenant, host, kind, instance) DO UPDATE SET hash = EXCLUDED.hash, version = EXCLUDED.version, at = EXCLUDED.at, seen_at = EXCLUDED.seen_at`,
		f.tenant, b.at, owners, kinds, instances, factHashes, versions)
	queue.Queue(`INSERT INTO assim.fact_versions (tenant, at, seen_at, observed_at, term, epoch, seq, host, kind, instance, hash, previous, version, relay)
		SELECT $1, $2, $2, $2, 1, 1, k.version, k.host, k.kind, k.instance, k.hash, k.previous, k.version, k.relay
		FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::bigint[], $9::uuid[]) AS k(host, kind, instance, hash, previous, version, relay)`,
		f.tenant, b.at, owners, kinds, instances, factHashes, previous, versions, relays)
	return f.admin.SendBatch(ctx, queue).Close()
}

func (f *filler) storeHosts(queue *pgx.Batch, b *batch) {
	var ids, sites, relays, names []string
	for _, h := range b.hosts {
		ids, sites, relays, names = append(ids, h.ID.String()), append(sites, h.Site.ID.String()), append(relays, h.Site.Relay.String()), append(names, h.Name)
	}
	queue.Queue(`INSERT INTO assim.hosts (tenant, id, site, relay, name, probe_key, state, state_at, agent_version, os, arch, enrolled_at, changed_at, term)
		SELECT $1, k.id, k.site, k.relay, k.name, decode(md5(k.id::text), 'hex'), 'up', $2, $3, 'linux', 'amd64', $2, $2, 1
		FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::text[]) AS k(id, site, relay, name)`,
		f.tenant, b.at, agentVersion, ids, sites, relays, names)
}
