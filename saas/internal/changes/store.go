package changes

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// version is a row of the history, in which compare puts the bodies of both its
// sides.
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
	Distance     *int32 // from the host that is looked around, nil where none is
	Body         []byte `db:"-"` // nil: gone, too large or no longer kept
	PreviousBody []byte `db:"-"`
}

func (v version) change() Change {
	c := Change{
		SeenAt: v.SeenAt.UTC(), At: v.At.UTC(), Host: v.HostName, HostID: v.Host, Kind: v.Kind, Instance: v.Instance,
		Op: Changed, Hash: hex.EncodeToString(v.Hash), Previous: hex.EncodeToString(v.Previous), Version: v.Version,
		RelayID: v.Relay, Epoch: v.Epoch, Seq: v.Seq, Distance: v.Distance,
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

// orderOf is the order of changes: the newest first, each with a place of its
// own; of a vicinity the nearest first.
func orderOf(row string, near bool) string {
	order := strings.ReplaceAll(`{.}at DESC, {.}relay::text DESC, {.}epoch DESC, {.}seq DESC, {.}host::text DESC, {.}kind DESC, {.}instance DESC`, "{.}", row+".")
	if near {
		return row + `.distance, ` + order
	}
	return order
}

// chosenSQL selects what a filter chooses: from what, and under which conditions.
// The planner sees only the conditions that there are, and has an index for each.
func chosenSQL(ctx context.Context, tx pgx.Tx, f Filter, near *vicinity) (sql string, args []any, err error) {
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	from := `(SELECT v.*, NULL::int AS distance FROM assim.fact_versions v) v`
	conditions := []string{"true"}
	if near != nil {
		hosts := arg(near.hosts) + `::uuid[]`
		from = `(SELECT v.*, n.distance FROM unnest(` + hosts + `, ` + arg(near.distances) + `::int[]) AS n(id, distance)
			JOIN assim.fact_versions v ON v.host = n.id) v`
	}
	if f.Host != "" {
		hosts, err := hostsNamed(ctx, tx, f.Host)
		if err != nil {
			return "", nil, err
		}
		conditions = append(conditions, `v.host = ANY (`+arg(hosts)+`::uuid[])`)
	}
	if f.Kind != "" {
		conditions = append(conditions, `v.kind = `+arg(f.Kind))
	}
	if !f.Since.IsZero() {
		conditions = append(conditions, `v.at >= `+arg(f.Since))
	}
	if !f.Until.IsZero() {
		conditions = append(conditions, `v.at < `+arg(f.Until))
	}
	if f.Cursor != "" {
		after, err := parseCursor(f.Cursor)
		if err != nil || (after.distance != nil) != (near != nil) {
			return "", nil, web.BadCursor()
		}
		at := arg(after.at)
		older := `v.at <= ` + at + ` AND (v.at, v.relay::text, v.epoch, v.seq, v.host::text, v.kind, v.instance) < (` +
			strings.Join([]string{at, arg(after.relay), arg(after.epoch), arg(after.seq), arg(after.host), arg(after.kind), arg(after.instance)}, ", ") + `)`
		if near != nil {
			distance := arg(*after.distance) + `::int`
			older = `v.distance > ` + distance + ` OR v.distance = ` + distance + ` AND ` + older
		}
		conditions = append(conditions, `(`+older+`)`)
	}
	return `SELECT v.at, v.seen_at, v.observed_at, v.host, coalesce(h.name, ''), v.kind, v.instance, v.hash, v.previous, v.version,
			v.relay, v.epoch, v.seq, v.distance
		FROM ` + from + ` LEFT JOIN assim.hosts h ON h.tenant = v.tenant AND h.id = v.host
		WHERE ` + strings.Join(conditions, " AND ") + ` ORDER BY ` + orderOf("v", near != nil) + ` LIMIT ` + arg(f.Limit+1), args, nil
}

// readVersions returns a page of the history, newest first, and the cursor of
// the next. Where near is not nil, only of its hosts, the nearest first.
func readVersions(ctx context.Context, tx pgx.Tx, f Filter, near *vicinity) ([]version, string, error) {
	chosen, args, err := chosenSQL(ctx, tx, f, near)
	if err != nil {
		return nil, "", err
	}
	rows, err := tx.Query(ctx, chosen, args...)
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
	rows, err := tx.Query(ctx, `SELECT id::text FROM assim.hosts WHERE id = assim.as_id($1) OR name_lower = lower($1)`, ref)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// optional is nil for no time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// position is where a page ended.
type position struct {
	distance                    *int32 // of a vicinity
	at                          *time.Time
	relay, host, kind, instance string
	epoch, seq                  int64
}

func makeCursor(v version) string {
	text := fmt.Sprintf("%s %s %d %d %s %s %s", v.At.UTC().Format(time.RFC3339Nano), v.Relay, v.Epoch, v.Seq, v.Host, v.Kind, v.Instance)
	if v.Distance != nil {
		text = fmt.Sprintf("%d %s", *v.Distance, text)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func parseCursor(s string) (position, error) {
	var p position
	bad := web.BadCursor()
	raw, err := base64.RawURLEncoding.DecodeString(s)
	text := web.Text(string(raw))
	if first, rest, ok := strings.Cut(text, " "); ok && len(first) <= 2 { // shorter than any time
		n, err := strconv.ParseInt(first, 10, 32)
		if err != nil {
			return p, bad
		}
		distance := int32(n)
		p.distance, text = &distance, rest
	}
	parts := strings.SplitN(text, " ", 7)
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
