package changes

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/history"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Difference is what one fact was at one time and is at another.
type Difference struct {
	Host     string         `json:"host" doc:"name"`
	HostID   tenancy.HostID `json:"host_id" format:"uuid"`
	Kind     string         `json:"kind"`
	Instance string         `json:"instance"`
	Op       Op             `json:"op" enum:"appeared,changed,gone"`
	Before   string         `json:"before,omitempty" doc:"hash of what it was"`
	After    string         `json:"after,omitempty" doc:"hash of what it became"`
	Steps    int            `json:"steps" doc:"versions in between"`
	SeenAt   time.Time      `json:"seen_at" doc:"of the last of them, by the relay's clock"`
	Summary  string         `json:"summary"`
	Details  []Detail       `json:"details" nullable:"false" doc:"the first differences"`
	More     int            `json:"more,omitempty" doc:"differences that are not listed"`
}

// Span chooses differences: between two times, of all hosts or one, of all kinds
// or one. A zero To is now.
type Span struct {
	From, To time.Time
	Host     string // id or name
	Kind     string
	Cursor   string
	Limit    int
}

// Diff returns a page of what differs between two times, by host, kind and
// instance. What changed and changed back does not differ.
func (s *Service) Diff(ctx context.Context, a web.Actor, span Span) (items []Difference, next string, err error) {
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		items, next, err = s.diff(ctx, tx, span)
		return err
	})
	return items, next, err
}

func (s *Service) diff(ctx context.Context, tx pgx.Tx, span Span) ([]Difference, string, error) {
	if !span.To.IsZero() && span.To.Before(span.From) {
		return nil, "", web.NewProblem(http.StatusUnprocessableEntity, web.Invalid, "from is later than to")
	}
	for _, at := range []time.Time{span.From, span.To} {
		if at.IsZero() {
			continue
		}
		if err := history.Facts(ctx, tx, at); err != nil {
			return nil, "", err
		}
	}
	rows, next, err := readSpan(ctx, tx, span)
	if err != nil {
		return nil, "", err
	}
	versions := make([]version, len(rows))
	for i, row := range rows {
		versions[i] = version{SeenAt: row.SeenAt, Host: row.Host, HostName: row.HostName, Kind: row.Kind, Instance: row.Instance, Hash: row.After, Previous: row.Before}
	}
	changes, err := s.compare(ctx, tx, versions)
	if err != nil {
		return nil, "", err
	}
	items := make([]Difference, len(changes))
	for i, c := range changes {
		items[i] = Difference{c.Host, c.HostID, c.Kind, c.Instance, c.Op, c.Previous, c.Hash, rows[i].Steps, c.SeenAt, c.Summary, c.Details, c.More}
	}
	return items, next, nil
}

// spanRow is one fact that differs, with the hashes of both ends.
type spanRow struct {
	Host     tenancy.HostID
	HostName string
	Kind     string
	Instance string
	Before   []byte
	After    []byte
	Steps    int
	SeenAt   time.Time
}

func readSpan(ctx context.Context, tx pgx.Tx, span Span) ([]spanRow, string, error) {
	after, err := parseSpanCursor(span.Cursor)
	if err != nil {
		return nil, "", err
	}
	var hosts []string
	byHost := `$1::uuid[] IS NULL`
	if span.Host != "" {
		if hosts, err = hostsNamed(ctx, tx, span.Host); err != nil || len(hosts) == 0 {
			return nil, "", err
		}
		byHost = `v.host = ANY ($1::uuid[])`
	}
	rows, err := tx.Query(ctx, `
		SELECT f.host, coalesce(h.name, ''), f.kind, f.instance, f.before, f.after, f.steps, f.seen_at FROM (
			SELECT v.host, v.kind, v.instance, count(*)::int AS steps,
				(array_agg(v.previous ORDER BY v.at, v.term, v.version))[1] AS before,
				(array_agg(v.hash ORDER BY v.at, v.term, v.version))[count(*)] AS after,
				(array_agg(v.seen_at ORDER BY v.at, v.term, v.version))[count(*)] AS seen_at
			FROM assim.fact_versions v
			WHERE v.at > $2 AND ($3::timestamptz IS NULL OR v.at <= $3) AND `+byHost+` AND ($4 = '' OR v.kind = $4)
			  AND ($5 = '' OR (v.host::text, v.kind, v.instance) > ($5, $6, $7))
			GROUP BY v.host, v.kind, v.instance) f
		LEFT JOIN assim.hosts h ON h.id = f.host
		WHERE f.before IS DISTINCT FROM f.after
		ORDER BY f.host::text, f.kind, f.instance LIMIT $8`,
		hosts, span.From, optional(span.To), span.Kind, after[0], after[1], after[2], span.Limit+1)
	if err != nil {
		return nil, "", err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[spanRow])
	if err != nil || len(all) <= span.Limit {
		return all, "", err
	}
	all = all[:span.Limit]
	last := all[span.Limit-1]
	return all, base64.RawURLEncoding.EncodeToString([]byte(last.Host.String() + " " + last.Kind + " " + last.Instance)), nil
}

// parseSpanCursor gives host, kind and instance of the last row before.
func parseSpanCursor(s string) (after [3]string, err error) {
	if s == "" {
		return after, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	parts := strings.SplitN(web.Text(string(raw)), " ", 3)
	if err != nil || len(parts) != 3 || parts[0] == "" {
		return after, web.BadCursor()
	}
	return [3]string(parts), nil
}
