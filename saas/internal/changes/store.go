package changes

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Sizes in bytes of JSON up to which bodies are compared: of one body, and of
// all on a page, newest first.
const (
	maxCompared = 1 << 20
	maxTogether = 16 << 20
)

// version is a row of the history with the bodies of both its sides.
type version struct {
	At           time.Time
	SeenAt       time.Time
	ObservedAt   *time.Time
	Host         tenancy.HostID
	HostName     string
	Kind         string
	Instance     string
	Hash         []byte
	Previous     []byte
	Version      int64
	Relay        tenancy.RelayID
	Epoch        int64
	Seq          int64
	Body         []byte // nil: gone, too large or no longer kept
	PreviousBody []byte
}

func (v version) change() Change {
	c := Change{
		SeenAt: v.SeenAt.UTC(), At: v.At.UTC(), Host: v.HostName, HostID: v.Host, Kind: v.Kind, Instance: v.Instance,
		Op: Changed, Hash: hex.EncodeToString(v.Hash), Previous: hex.EncodeToString(v.Previous), Version: v.Version,
		RelayID: v.Relay, Epoch: v.Epoch, Seq: v.Seq,
	}
	if v.ObservedAt != nil {
		t := v.ObservedAt.UTC()
		c.ObservedAt = &t
	}
	switch {
	case v.Hash == nil:
		c.Op = Gone
	case v.Previous == nil:
		c.Op = Appeared
	}
	return c
}

// readVersions returns a page of the history, newest first, and the cursor of
// the next.
func readVersions(ctx context.Context, tx pgx.Tx, f Filter) ([]version, string, error) {
	after, err := parseCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	// The planner sees the ids, or no condition at all: for either it has an index.
	var hosts []string
	byHost := `$1::uuid[] IS NULL`
	if f.Host != "" {
		if hosts, err = hostsNamed(ctx, tx, f.Host); err != nil || len(hosts) == 0 {
			return nil, "", err
		}
		byHost = `v.host = ANY ($1::uuid[])`
	}
	rows, err := tx.Query(ctx, `
		WITH chosen AS (
			SELECT v.*, h.name AS host_name FROM assim.fact_versions v
			LEFT JOIN assim.hosts h ON h.tenant = v.tenant AND h.id = v.host
			WHERE `+byHost+`
			  AND ($2 = '' OR v.kind = $2)
			  AND ($3::timestamptz IS NULL OR v.at >= $3) AND ($4::timestamptz IS NULL OR v.at < $4)
			  AND ($5::timestamptz IS NULL OR v.at <= $5
			       AND (v.at, v.relay::text, v.epoch, v.seq, v.host::text, v.kind, v.instance) < ($5, $6, $7::bigint, $8::bigint, $9, $10, $11))
			ORDER BY v.at DESC, v.relay::text DESC, v.epoch DESC, v.seq DESC, v.host::text DESC, v.kind DESC, v.instance DESC LIMIT $12
		)
		SELECT c.at, c.seen_at, c.observed_at, c.host, coalesce(c.host_name, ''), c.kind, c.instance, c.hash, c.previous, c.version,
			c.relay, c.epoch, c.seq, CASE WHEN c.fits THEN c.new_body END, CASE WHEN c.fits THEN c.old_body END
		FROM (
		SELECT c.*, new.body AS new_body, old.body AS old_body, sum(coalesce(new.size, 0)::bigint + coalesce(old.size, 0)) OVER newest <= $14 AS fits
		FROM chosen c
		LEFT JOIN assim.fact_bodies new ON new.tenant = c.tenant AND new.hash = c.hash AND new.size <= $13
		LEFT JOIN assim.fact_bodies old ON old.tenant = c.tenant AND old.hash = c.previous AND old.size <= $13
		WINDOW newest AS (ORDER BY c.at DESC, c.relay::text DESC, c.epoch DESC, c.seq DESC, c.host::text DESC, c.kind DESC, c.instance DESC
			ROWS UNBOUNDED PRECEDING)
		) c
		ORDER BY c.at DESC, c.relay::text DESC, c.epoch DESC, c.seq DESC, c.host::text DESC, c.kind DESC, c.instance DESC`,
		hosts, f.Kind, optional(f.Since), optional(f.Until), after.at, after.relay, after.epoch, after.seq, after.host, after.kind, after.instance,
		f.Limit+1, maxCompared, maxTogether)
	if err != nil {
		return nil, "", err
	}
	versions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[version])
	if err != nil || len(versions) <= f.Limit {
		return versions, "", err
	}
	versions = versions[:f.Limit]
	return versions, makeCursor(versions[f.Limit-1]), nil
}

// hostsNamed returns the ids of the hosts that have the id or the name.
func hostsNamed(ctx context.Context, tx pgx.Tx, ref string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id::text FROM assim.hosts WHERE id::text = $1 OR lower(name) = lower($1)`, ref)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// position is where a page ended; a nil time is the beginning.
type position struct {
	at                          *time.Time
	relay, host, kind, instance string
	epoch, seq                  int64
}

func makeCursor(v version) string {
	text := fmt.Sprintf("%s %s %d %d %s %s %s", v.At.UTC().Format(time.RFC3339Nano), v.Relay, v.Epoch, v.Seq, v.Host, v.Kind, v.Instance)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func parseCursor(s string) (position, error) {
	var p position
	if s == "" {
		return p, nil
	}
	bad := web.BadCursor()
	raw, err := base64.RawURLEncoding.DecodeString(s)
	parts := strings.SplitN(web.Text(string(raw)), " ", 7)
	if err != nil || len(parts) != 7 {
		return p, bad
	}
	at, err := time.Parse(time.RFC3339Nano, parts[0])
	if err != nil {
		return p, bad
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "%d %d", &p.epoch, &p.seq); err != nil {
		return p, bad
	}
	p.at, p.relay, p.host, p.kind, p.instance = &at, parts[1], parts[4], parts[5], parts[6]
	return p, nil
}
