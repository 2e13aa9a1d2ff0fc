package history

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Fact is one fact of a host, as it is or as it was.
type Fact struct {
	Kind     string
	Instance string
	Schema   int
	Hash     []byte
	Size     int       // bytes of the body
	Version  int64     // 0: older than what is held; of a current fact it rises without a change
	At       time.Time // zero: older than what is held
	SeenAt   time.Time // zero: older than what is held
	Packed   []byte    // zstd of the body; nil when only the head was read
}

// HashText is the content hash as it is shown.
func (f Fact) HashText() string { return hex.EncodeToString(f.Hash) }

// Choice of a host's facts. Empty fields choose all.
type Choice struct {
	Kind   string
	Bodies bool // read them too
}

// maxFacts bounds the facts of one host.
const maxFacts = 10_000

// factsAt gives "past": the facts of a host as they were at a time.
//
//	$1 host, $2 at, $3 kind or ''
const factsAt = `
	later AS MATERIALIZED (
		SELECT DISTINCT ON (v.kind, v.instance) v.kind, v.instance, v.previous
		FROM assim.fact_versions v
		WHERE v.host = $1 AND v.at > $2 AND ($3 = '' OR v.kind = $3)
		ORDER BY v.kind, v.instance, v.at, v.term, v.version
	), past AS (
		SELECT l.kind, l.instance, l.previous AS hash, w.version, w.at, w.seen_at
		FROM later l LEFT JOIN LATERAL (
			SELECT v.version, v.at, v.seen_at FROM assim.fact_versions v
			WHERE v.host = $1 AND v.kind = l.kind AND v.instance = l.instance AND v.at <= $2
			ORDER BY v.at DESC, v.term DESC, v.version DESC LIMIT 1) w ON true
		WHERE l.previous IS NOT NULL
		UNION ALL
		SELECT f.kind, f.instance, f.hash, f.version, f.at, f.seen_at
		FROM assim.facts f
		WHERE f.host = $1 AND ($3 = '' OR f.kind = $3)
		  AND NOT EXISTS (SELECT FROM later l WHERE l.kind = f.kind AND l.instance = f.instance)
	)`

// FactsAt reads a host's facts as they were at a time, which Facts has allowed,
// unless their bodies have more than limit bytes: then it returns none, and false.
func FactsAt(ctx context.Context, tx pgx.Tx, host tenancy.HostID, c Choice, at time.Time, limit int64) ([]Fact, bool, error) {
	if c.Bodies {
		var total int64
		err := tx.QueryRow(ctx, `WITH `+factsAt+`
			SELECT coalesce(sum(b.size), 0)::bigint FROM past p JOIN assim.fact_bodies b ON b.hash = p.hash`, host, at, c.Kind).Scan(&total)
		if err != nil {
			return nil, false, fmt.Errorf("sizing the facts of host %s as of %s: %w", host, at.Format(time.RFC3339), err)
		}
		if total > limit {
			return nil, false, nil
		}
	}
	rows, err := tx.Query(ctx, `WITH `+factsAt+`
		SELECT p.kind, p.instance, b.schema::int, p.hash, b.size, p.version, p.at, p.seen_at, CASE WHEN $4 THEN b.body END
		FROM past p JOIN assim.fact_bodies b ON b.hash = p.hash
		ORDER BY p.kind, p.instance LIMIT $5`, host, at, c.Kind, c.Bodies, maxFacts)
	if err != nil {
		return nil, false, fmt.Errorf("reading the facts of host %s as of %s: %w", host, at.Format(time.RFC3339), err)
	}
	facts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Fact, err error) {
		var version *int64
		var at, seen *time.Time
		if err = row.Scan(&f.Kind, &f.Instance, &f.Schema, &f.Hash, &f.Size, &version, &at, &seen, &f.Packed); err == nil && version != nil {
			f.Version, f.At, f.SeenAt = *version, *at, *seen
		}
		return f, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("reading the facts of host %s as of %s: %w", host, at.Format(time.RFC3339), err)
	}
	return facts, true, nil
}
