package hosts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"assimilation/discovery"
	"assimilation/saas/internal/history"
	"assimilation/tenancy"
)

// Fact is one fact of a host.
type Fact = history.Fact

const selectFact = `
	SELECT f.kind, f.instance, b.schema::int, f.hash, b.size, f.version, f.at, f.seen_at, CASE WHEN $2 THEN b.body END
	FROM assim.facts f JOIN assim.fact_bodies b ON b.tenant = f.tenant AND b.hash = f.hash
	WHERE f.host = $1 `

// factHeads lists a host's facts without their bodies.
func factHeads(ctx context.Context, tx pgx.Tx, host tenancy.HostID) ([]Fact, error) {
	rows, err := tx.Query(ctx, selectFact+`ORDER BY f.kind, f.instance LIMIT 10000`, host, false)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Fact])
}

// Bounds of what one request may read of a host, in bytes of bodies: a probe may
// send 1024 instances of 8 MiB each, which cost it next to nothing compressed.
const (
	maxAnswer = 32 << 20 // as they are
	maxRead   = 4 << 20  // taken apart for a page; the densest JSON grows a hundredfold
)

var errTooLarge = huma.Error413RequestEntityTooLarge("the host reports more of this than one answer may hold; ask for one kind")

// factsOfKind reads a host's facts of one kind, all when it is empty, bodies
// included, unless they have more than limit bytes.
func factsOfKind(ctx context.Context, tx pgx.Tx, host tenancy.HostID, kind string, limit int64) ([]Fact, error) {
	const chosen = `AND ($3 = '' OR f.kind = $3) `
	var total int64
	err := tx.QueryRow(ctx, `SELECT coalesce(sum(size), 0)::bigint FROM (`+selectFact+chosen+`) f`, host, false, kind).Scan(&total)
	if err != nil {
		return nil, err
	}
	if total > limit {
		return nil, errTooLarge
	}
	rows, err := tx.Query(ctx, selectFact+chosen+`ORDER BY f.kind, f.instance LIMIT 10000`, host, true, kind)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Fact])
}

// newUnpacker refuses a body over the limit of facts: it is damage.
func newUnpacker() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(discovery.MaxBody))
}

// bodies unpacks the facts' bodies.
func bodies(facts []Fact) ([]json.RawMessage, error) {
	unpack, err := newUnpacker()
	if err != nil {
		return nil, err
	}
	defer unpack.Close()
	all := make([]json.RawMessage, len(facts))
	for i, f := range facts {
		if all[i], err = unpack.DecodeAll(f.Packed, nil); err != nil {
			return nil, fmt.Errorf("unpacking fact %s/%s: %w", f.Kind, f.Instance, err)
		}
	}
	return all, nil
}

// readKind reads all instances of a kind into its body type. A kind that the
// host never sent gives none.
func readKind[Body any](ctx context.Context, tx pgx.Tx, host tenancy.HostID, kind discovery.Kind) ([]Body, time.Time, error) {
	facts, err := factsOfKind(ctx, tx, host, kind.Name, maxRead)
	if err != nil {
		return nil, time.Time{}, err
	}
	raw, err := bodies(facts)
	if err != nil {
		return nil, time.Time{}, err
	}
	var newest time.Time
	all := make([]Body, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &all[i]); err != nil {
			return nil, time.Time{}, fmt.Errorf("reading fact %s/%s of host %s: %w", kind.Name, facts[i].Instance, host, err)
		}
		if facts[i].SeenAt.After(newest) {
			newest = facts[i].SeenAt
		}
	}
	return all, newest, nil
}
