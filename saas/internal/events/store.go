package events

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// happened is when an event is taken to have happened. There are indexes over
// this very expression.
const happened = `least(e.seen_at, e.at)`

// list reads a page. Conditions that are not asked for stay out of the text: for
// what is left the planner has an index.
func list(ctx context.Context, tx pgx.Tx, f Filter) (Page, error) {
	page := Page{Items: []Event{}}
	q := question{order: happened + ` DESC, e.id DESC`}
	if f.Cursor != "" {
		at, id, ok := parseCursor(f.Cursor)
		if !ok {
			return page, web.BadCursor()
		}
		q.add(`(`+happened+`, e.id) < (?, ?)`, at, id)
	}
	if f.After != newestFirst {
		q.order = `e.id`
		q.add(`e.id > ?`, f.After)
	}
	if f.Type != "" {
		q.add(`(e.type = ? OR starts_with(e.type, ?))`, f.Type, f.Type+".")
	}
	if !f.Since.IsZero() {
		q.add(happened+` >= ?`, f.Since)
	}
	if !f.Before.IsZero() {
		q.add(happened+` < ?`, f.Before)
	}
	// In the snapshot of the page, so that who follows from here misses nothing.
	if err := tx.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM assim.events`).Scan(&page.LastID); err != nil {
		return page, err
	}
	if f.Site != "" {
		var site tenancy.SiteID
		found, err := first(ctx, tx, &site, `SELECT id FROM assim.sites WHERE id::text = lower($1) OR name = $1 ORDER BY name = $1 LIMIT 1`, f.Site)
		if err != nil || !found {
			return page, err
		}
		q.add(`e.site = ?`, site)
	}
	if f.Host != "" {
		rows, err := tx.Query(ctx, `SELECT id FROM assim.hosts WHERE id = assim.as_id($1) OR name_lower = lower($1)`, f.Host)
		if err != nil {
			return page, err
		}
		if q.hosts, err = pgx.CollectRows(rows, pgx.RowTo[tenancy.HostID]); err != nil || len(q.hosts) == 0 {
			return page, err
		}
	}
	rows, err := tx.Query(ctx, q.text(f.Limit+1), q.args...)
	if err != nil {
		return page, err
	}
	items, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return page, err
	}
	if len(items) > f.Limit {
		items = items[:f.Limit]
		if f.After == newestFirst {
			page.NextCursor = makeCursor(items[f.Limit-1])
		}
	}
	page.Items = append(page.Items, items...)
	return page, nil
}

// question is the SQL of a page.
type question struct {
	where []string
	args  []any
	order string
	hosts []tenancy.HostID
}

// add adds a condition, in which ? stands for the next value.
func (q *question) add(condition string, values ...any) {
	for _, v := range values {
		q.args = append(q.args, v)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(q.args)), 1)
	}
	q.where = append(q.where, condition)
}

// text chooses ids first: those of a host come from two indexes, its own events
// and those of verdicts about it.
func (q *question) text(limit int) string {
	where := strings.Join(append([]string{"true"}, q.where...), " AND ")
	end := fmt.Sprintf(" ORDER BY %s LIMIT %d", q.order, limit)
	chosen := `SELECT e.tenant, e.id FROM assim.events e WHERE ` + where + end
	if len(q.hosts) > 0 {
		q.args = append(q.args, q.hosts)
		n := len(q.args)
		chosen = fmt.Sprintf(`
			(SELECT e.tenant, e.id FROM assim.events e WHERE e.host = ANY ($%[1]d) AND %[2]s %[3]s)
			UNION (SELECT e.tenant, e.id FROM assim.verdict_hosts vh JOIN assim.events e ON e.tenant = vh.tenant AND e.verdict = vh.verdict
				WHERE vh.host = ANY ($%[1]d) AND %[2]s %[3]s)`, n, where, end)
	}
	return `
		WITH chosen AS (` + chosen + `)
		SELECT e.id, e.seen_at, e.at, e.type, coalesce(h.name, ''), e.host, coalesce(r.name, ''), coalesce(s.name, ''), e.site, e.verdict, e.detail
		FROM chosen c JOIN assim.events e ON e.tenant = c.tenant AND e.id = c.id
		LEFT JOIN assim.hosts h ON h.tenant = e.tenant AND h.id = e.host
		LEFT JOIN assim.relays r ON r.tenant = e.tenant AND r.id = e.relay
		LEFT JOIN assim.sites s ON s.tenant = e.tenant AND s.id = e.site` + end
}

func scan(row pgx.CollectableRow) (Event, error) {
	var e Event
	err := row.Scan(&e.ID, &e.SeenAt, &e.At, &e.Type, &e.Host, &e.HostID, &e.Relay, &e.Site, &e.SiteID, &e.VerdictID, &e.Detail)
	e.SeenAt, e.At = e.SeenAt.UTC(), e.At.UTC()
	e.Summary = summary(e.Type, e.Detail)
	return e, err
}

// first reads one value, if there is any.
func first(ctx context.Context, tx pgx.Tx, to any, sql string, args ...any) (bool, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return false, rows.Err()
	}
	return true, rows.Scan(to)
}

// A cursor is the time of the last event shown, in microseconds as Postgres
// keeps it, and its id.
func makeCursor(e Event) string {
	at := e.SeenAt
	if e.At.Before(at) {
		at = e.At
	}
	return fmt.Sprintf("%d.%d", at.UnixMicro(), e.ID)
}

func parseCursor(s string) (at time.Time, id int64, ok bool) {
	left, right, _ := strings.Cut(s, ".")
	micro, err := strconv.ParseInt(left, 10, 64)
	id, idErr := strconv.ParseInt(right, 10, 64)
	if err != nil || idErr != nil || micro < 0 || micro > maxMicro || id < 1 {
		return time.Time{}, 0, false
	}
	return time.UnixMicro(micro), id, true
}

// maxMicro is the end of the year 9999, which no event is after.
const maxMicro = 253402300799_999_999
