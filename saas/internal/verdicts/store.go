package verdicts

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Bounds of what one answer holds.
const (
	listHosts   = 8    // of each verdict of a list
	allHosts    = 8192 // of one verdict: all that a relay may name
	maxExplains = 200
)

// selectVerdict wants the number of hosts as $1.
const selectVerdict = `
	SELECT v.id, v.kind, s.name, v.site, coalesce(r.name, ''), v.count, v.domain, v.since, v.at, v.over_at, v.ending, v.cause, v.confidence,
		v.relay IS NULL, n.ids, n.names
	FROM assim.verdicts v
	JOIN assim.sites s ON s.tenant = v.tenant AND s.id = v.site
	LEFT JOIN assim.relays r ON r.tenant = v.tenant AND r.id = v.relay
	LEFT JOIN LATERAL (
		SELECT array_agg(h.host ORDER BY lower(h.name), h.host) AS ids, array_agg(h.name ORDER BY lower(h.name), h.host) AS names
		FROM (SELECT vh.host, coalesce(o.name, '') AS name FROM assim.verdict_hosts vh
			LEFT JOIN assim.hosts o ON o.tenant = vh.tenant AND o.id = vh.host
			WHERE vh.tenant = v.tenant AND vh.verdict = v.id LIMIT $1) h) n ON true `

func scan(row pgx.CollectableRow) (Verdict, error) {
	v := Verdict{Hosts: []Host{}}
	var domain []byte
	var ids []tenancy.HostID
	var names []string
	var own bool
	err := row.Scan(&v.ID, &v.Kind, &v.Site, &v.SiteID, &v.Relay, &v.Count, &domain, &v.Since, &v.At, &v.OverAt, &v.Ending, &v.Cause, &v.Confidence,
		&own, &ids, &names)
	for i, id := range ids {
		v.Hosts = append(v.Hosts, Host{id, names[i]})
	}
	v.Domain, v.Open = hex.EncodeToString(domain), v.OverAt == nil
	v.Since, v.At = v.Since.UTC(), v.At.UTC()
	if v.OverAt != nil {
		utc := v.OverAt.UTC()
		v.OverAt = &utc
	}
	v.Title = title(v)
	return v, err
}

func list(ctx context.Context, tx pgx.Tx, f Filter) ([]Verdict, string, error) {
	before, err := parseCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	// Conditions that are not asked for stay out: the planner takes the index of
	// those that are.
	where, args := []string{"true"}, []any{listHosts, f.Limit + 1}
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	if f.Host != "" {
		hosts, err := hostsNamed(ctx, tx, f.Host)
		if err != nil || len(hosts) == 0 {
			return nil, "", err
		}
		add(`v.id IN (SELECT vh.verdict FROM assim.verdict_hosts vh WHERE vh.host = ANY (?))`, hosts)
	}
	if f.Site != "" {
		add(`(v.site::text = ? OR s.name = ?)`, f.Site, f.Site)
	}
	if f.Kind != "" {
		add(`v.kind = ?`, f.Kind)
	}
	if f.Open {
		add(`v.over_at IS NULL`)
	}
	if !f.Since.IsZero() {
		add(`v.at >= ?`, f.Since)
	}
	if before != nil {
		add(`(v.at, v.id) < (?, ?)`, before.at, before.id)
	}
	rows, err := tx.Query(ctx, selectVerdict+` WHERE `+strings.Join(where, " AND ")+` ORDER BY v.at DESC, v.id DESC LIMIT $2`, args...)
	if err != nil {
		return nil, "", err
	}
	items, err := pgx.CollectRows(rows, scan)
	if err != nil || len(items) <= f.Limit {
		return items, "", err
	}
	return items[:f.Limit], makeCursor(items[f.Limit-1]), nil
}

// hostsNamed returns the hosts that have the id or the name.
func hostsNamed(ctx context.Context, tx pgx.Tx, ref string) ([]tenancy.HostID, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM assim.hosts WHERE id = assim.as_id($1) OR name_lower = lower($1)`, ref)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[tenancy.HostID])
}

func byID(ctx context.Context, tx pgx.Tx, id tenancy.VerdictID, hosts int) (Verdict, error) {
	rows, err := tx.Query(ctx, selectVerdict+` WHERE v.id = $2`, hosts, id)
	if err != nil {
		return Verdict{}, err
	}
	v, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return Verdict{}, errNone
	}
	return v, err
}

func whole(ctx context.Context, tx pgx.Tx, id tenancy.VerdictID) (Whole, error) {
	v, err := byID(ctx, tx, id, allHosts)
	if err != nil {
		return Whole{}, err
	}
	w := Whole{Verdict: v, Meaning: meaning(v.Kind), Evidence: []Evidence{}, Explains: []Verdict{}}
	if w.Evidence, err = evidenceOf(ctx, tx, v); err != nil {
		return Whole{}, err
	}
	if v.Cause != nil && *v.Cause != v.ID {
		// A relay may name what the service never got, or lost.
		if cause, err := byID(ctx, tx, *v.Cause, listHosts); err == nil {
			w.CausedBy = &cause
		} else if !errors.Is(err, errNone) {
			return Whole{}, err
		}
	}
	rows, err := tx.Query(ctx, selectVerdict+` WHERE v.cause = $2 AND v.id <> $2 ORDER BY v.at, v.id LIMIT $3`, listHosts, id, maxExplains)
	if err != nil {
		return Whole{}, err
	}
	explains, err := pgx.CollectRows(rows, scan)
	w.Explains = append(w.Explains, explains...)
	return w, err
}

// stored is the form in which ingest keeps evidence.
type stored struct {
	Kind      string          `json:"kind"`
	At        int64           `json:"at"`
	By, About *tenancy.HostID // encoding/json matches names whatever their case
	Age       int64           `json:"age"`
	Count     int64           `json:"count"`
}

func evidenceOf(ctx context.Context, tx pgx.Tx, v Verdict) ([]Evidence, error) {
	var all []stored
	if err := tx.QueryRow(ctx, `SELECT evidence FROM assim.verdicts WHERE id = $1`, v.ID).Scan(&all); err != nil {
		return nil, err
	}
	var ids []tenancy.HostID
	for _, e := range all {
		for _, id := range []*tenancy.HostID{e.By, e.About} {
			if id != nil {
				ids = append(ids, *id)
			}
		}
	}
	names := map[tenancy.HostID]string{}
	rows, err := tx.Query(ctx, `SELECT id, name FROM assim.hosts WHERE id = ANY ($1)`, ids)
	if err != nil {
		return nil, err
	}
	var h Host
	if _, err := pgx.ForEachRow(rows, []any{&h.ID, &h.Name}, func() error { names[h.ID] = h.Name; return nil }); err != nil {
		return nil, err
	}
	named := func(id *tenancy.HostID) *Host {
		if id == nil {
			return nil
		}
		return &Host{*id, cmp.Or(names[*id], id.String())}
	}
	evidence := make([]Evidence, 0, len(all))
	for _, e := range all {
		at := time.UnixMilli(e.At).UTC()
		shown := Evidence{Code: e.Kind, At: at, AfterMS: at.Sub(v.Since).Milliseconds(), By: named(e.By), About: named(e.About), AgeMS: e.Age, Count: e.Count}
		shown.Text = sentence(shown)
		evidence = append(evidence, shown)
	}
	slices.SortStableFunc(evidence, func(a, b Evidence) int { return a.At.Compare(b.At) })
	return evidence, nil
}

// position is where a page ended.
type position struct {
	at time.Time
	id tenancy.VerdictID
}

func makeCursor(v Verdict) string {
	return base64.RawURLEncoding.EncodeToString([]byte(v.ID.String() + v.At.Format(time.RFC3339Nano)))
}

func parseCursor(s string) (*position, error) {
	if s == "" {
		return nil, nil
	}
	if raw, err := base64.RawURLEncoding.DecodeString(s); err == nil && len(raw) > 36 {
		id, idErr := tenancy.ParseID[tenancy.VerdictID](string(raw[:36]))
		at, atErr := time.Parse(time.RFC3339Nano, string(raw[36:]))
		if idErr == nil && atErr == nil {
			return &position{at, id}, nil
		}
	}
	return nil, web.BadCursor()
}
