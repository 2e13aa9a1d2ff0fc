package ingest

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery"
	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/quota"
	"assimilation/tenancy"
)

// save writes the net effect of the batch.
func (b *batch) save(ctx context.Context) error {
	if err := b.saveBodies(ctx); err != nil {
		return err
	}
	queue := &pgx.Batch{}
	b.saveHosts(queue)
	b.saveFacts(queue)
	b.saveVersions(queue)
	b.saveVerdicts(queue)
	b.saveFindings(queue)
	b.saveRefused(queue)
	b.notify(queue)
	if err := b.tx.SendBatch(ctx, queue).Close(); err != nil {
		return fmt.Errorf("writing facts: %w", err)
	}
	for _, use := range b.uses {
		if err := allowance.Count(ctx, b.tx, b.from.Tenant, use); err != nil {
			return err
		}
	}
	deltas, err := b.deltas(ctx)
	if err != nil {
		return err
	}
	stats, err := b.graph.Apply(ctx, b.tx, b.from.Tenant, deltas, b.at)
	if err != nil {
		return fmt.Errorf("writing the graph: %w", err)
	}
	b.effect = effect{stats.Vertices.New + stats.Edges.New, stats.Vertices.Changed + stats.Edges.Changed, stats.Vertices.Gone + stats.Edges.Gone}
	details, size, err := b.encodeEvents()
	if err != nil {
		return err
	}
	b.spent.Changes = int64(len(b.versions))
	// Events, too: a relay that tells nothing but what is refused fills the database
	// with them.
	b.spent.Bytes = quota.Added{Bodies: b.stored, Packed: b.packed, Versions: b.spent.Changes, Elements: b.effect.created + b.effect.changed + b.effect.gone,
		Events: int64(len(details)), Detailed: size}.Bytes()
	queue = &pgx.Batch{}
	quota.Spend(queue, b.from.Tenant, b.spent, b.at)
	if err := b.tx.SendBatch(ctx, queue).Close(); err != nil {
		return fmt.Errorf("counting what the tenant has: %w", err)
	}
	return b.saveEvents(ctx, details)
}

// saveBodies stores the contents that are new. History refers to them, so they
// stay when no fact does.
func (b *batch) saveBodies(ctx context.Context) error {
	if len(b.bodies) == 0 {
		return nil
	}
	hashes := make([][]byte, 0, len(b.bodies))
	for h := range b.bodies {
		hashes = append(hashes, bytes.Clone(h[:]))
	}
	rows, err := b.tx.Query(ctx, `SELECT hash FROM assim.fact_bodies WHERE hash = ANY($1)`, hashes)
	if err != nil {
		return fmt.Errorf("looking for known bodies: %w", err)
	}
	known, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return fmt.Errorf("looking for known bodies: %w", err)
	}
	isKnown := make(map[discovery.Hash]bool, len(known))
	for _, h := range known {
		isKnown[discovery.Hash(h)] = true
	}
	var kinds []string
	var schemas []int16
	var packed [][]byte
	var sizes []int32
	hashes = hashes[:0]
	for h, body := range b.bodies {
		if isKnown[h] {
			continue
		}
		hashes, kinds, schemas = append(hashes, bytes.Clone(h[:])), append(kinds, body.kind), append(schemas, int16(body.schema))
		packed, sizes = append(packed, b.pack.EncodeAll(body.json, nil)), append(sizes, int32(len(body.json)))
		b.packed, b.stored = b.packed+int64(len(packed[len(packed)-1])), b.stored+1
	}
	if len(hashes) == 0 {
		return nil
	}
	_, err = b.tx.Exec(ctx, `
		INSERT INTO assim.fact_bodies (tenant, hash, kind, schema, body, size)
		SELECT $1, * FROM unnest($2::bytea[], $3::text[], $4::smallint[], $5::bytea[], $6::integer[])`,
		b.from.Tenant, hashes, kinds, schemas, packed, sizes)
	if err != nil {
		return fmt.Errorf("storing bodies: %w", err)
	}
	return nil
}

// columns of facts, for unnest.
type columns struct {
	hosts            []tenancy.HostID
	kinds, instances []string
}

func (c *columns) add(k factKey) {
	c.hosts, c.kinds, c.instances = append(c.hosts, k.host), append(c.kinds, k.kind), append(c.instances, k.instance)
}

func (b *batch) saveFacts(queue *pgx.Batch) {
	var put, gone, moved columns
	var hashes [][]byte
	var terms, versions, movedTerms, movedVersions []int64
	var seen []time.Time
	for _, k := range b.order {
		f := b.facts[k]
		switch {
		case !f.moved:
		case f.now == nil:
			gone.add(k)
		case equal(f.before, f.now):
			moved.add(k)
			movedTerms, movedVersions = append(movedTerms, int64(f.term)), append(movedVersions, int64(f.version))
		default:
			put.add(k)
			hashes, terms, versions, seen = append(hashes, f.now[:]), append(terms, int64(f.term)), append(versions, int64(f.version)), append(seen, f.seenAt)
		}
	}
	if len(put.hosts) > 0 {
		queue.Queue(`
			INSERT INTO assim.facts (tenant, host, kind, instance, hash, term, version, seen_at, at)
			SELECT $1, k.*, $2 FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::bigint[], $8::bigint[], $9::timestamptz[]) AS k
			ON CONFLICT (tenant, host, kind, instance) DO UPDATE SET hash = EXCLUDED.hash, term = EXCLUDED.term, version = EXCLUDED.version,
				at = EXCLUDED.at, seen_at = EXCLUDED.seen_at`,
			b.from.Tenant, b.at, put.hosts, put.kinds, put.instances, hashes, terms, versions, seen)
	}
	if len(moved.hosts) > 0 {
		queue.Queue(`
			UPDATE assim.facts f SET term = k.term, version = k.version
			FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) AS k(host, kind, instance, term, version)
			WHERE f.tenant = $1 AND f.host = k.host AND f.kind = k.kind AND f.instance = k.instance`,
			b.from.Tenant, moved.hosts, moved.kinds, moved.instances, movedTerms, movedVersions)
	}
	if len(gone.hosts) > 0 {
		queue.Queue(`
			DELETE FROM assim.facts f USING unnest($2::uuid[], $3::text[], $4::text[]) AS k(host, kind, instance)
			WHERE f.tenant = $1 AND f.host = k.host AND f.kind = k.kind AND f.instance = k.instance`,
			b.from.Tenant, gone.hosts, gone.kinds, gone.instances)
	}
}

func (b *batch) saveVersions(queue *pgx.Batch) {
	if len(b.versions) == 0 {
		return
	}
	var keys columns
	var seen []time.Time
	var observed []*time.Time
	var hashes, previous [][]byte
	var terms, versions, places []int64
	for _, v := range b.versions {
		keys.add(v.key)
		seen, observed = append(seen, v.seenAt), append(observed, v.observedAt)
		hashes, previous = append(hashes, bytesOf(v.hash)), append(previous, bytesOf(v.previous))
		terms, versions, places = append(terms, int64(v.term)), append(versions, int64(v.version)), append(places, int64(v.place))
	}
	queue.Queue(`
		INSERT INTO assim.fact_versions (tenant, at, relay, epoch, host, kind, instance, seen_at, observed_at, hash, previous, term, version, seq)
		SELECT $1, $2, $3, $4, k.* FROM unnest($5::uuid[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::bytea[], $11::bytea[],
			$12::bigint[], $13::bigint[], $14::bigint[]) AS k`,
		b.from.Tenant, b.at, b.from.Relay, b.epoch, keys.hosts, keys.kinds, keys.instances, seen, observed, hashes, previous, terms, versions, places)
}

func bytesOf(h *discovery.Hash) []byte {
	if h == nil {
		return nil
	}
	return h[:]
}

// notify tells live pages what to read anew, when the transaction commits.
func (b *batch) notify(queue *pgx.Batch) {
	topics := map[string]bool{"facts": len(b.versions) > 0, "events": len(b.events) > 0 || b.opened(), "verdicts": b.concluded()}
	for _, h := range b.hosts {
		topics["hosts"] = topics["hosts"] || h.changed
	}
	for topic, changed := range topics {
		if changed {
			queue.Queue(`SELECT pg_notify('assim', $1)`, b.from.Tenant.String()+" "+topic)
		}
	}
}
