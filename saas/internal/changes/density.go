package changes

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web/ui"
)

// maxInBar bounds what is counted for one bar: a page must not read a week of a
// large estate to say that there was much.
const maxInBar = 2000

// steps are how long a bar lasts, by the window that bars are of.
var steps = map[string]time.Duration{"1h": 2 * time.Minute, "24h": 30 * time.Minute, "168h": 4 * time.Hour, "720h": 12 * time.Hour, "all": 12 * time.Hour}

// widest is what bars reach back at most.
const widest = 720 * time.Hour

// density counts the changes that a filter chooses, without those near a host, in
// steps of a window that ends at a time. Each bar leads to its own span.
func density(ctx context.Context, tx pgx.Tx, f Filter, path string, query url.Values, step time.Duration, until time.Time) ([]ui.Bar, error) {
	from := f.Since
	if from.IsZero() || until.Sub(from) > widest {
		from = until.Add(-widest)
	}
	n := int(until.Sub(from) / step)
	from = until.Add(-time.Duration(n) * step)
	args := []any{from, step.Seconds(), n, maxInBar}
	conditions := []string{"v.at >= b.at", "v.at < b.at + $2 * interval '1 second'"}
	if f.Host != "" {
		hosts, err := hostsNamed(ctx, tx, f.Host)
		if err != nil {
			return nil, err
		}
		args = append(args, hosts)
		conditions = append(conditions, fmt.Sprintf("v.host = ANY ($%d::uuid[])", len(args)))
	}
	if f.Kind != "" {
		args = append(args, f.Kind)
		conditions = append(conditions, fmt.Sprintf("v.kind = $%d", len(args)))
	}
	rows, err := tx.Query(ctx, `
		SELECT b.i, (SELECT count(*)::int FROM (SELECT FROM assim.fact_versions v WHERE `+strings.Join(conditions, " AND ")+` LIMIT $4) x)
		FROM (SELECT i, $1::timestamptz + i * $2 * interval '1 second' AS at FROM generate_series(0, $3 - 1) i) b`, args...)
	if err != nil {
		return nil, err
	}
	bars := make([]ui.Bar, n)
	for i := range bars {
		bars[i].From = from.Add(time.Duration(i) * step)
		bars[i].Href = spanPath(path, query, bars[i].From.Add(step))
	}
	var i, count int
	_, err = pgx.ForEachRow(rows, []any{&i, &count}, func() error {
		bars[i].Count = count
		return nil
	})
	return bars, err
}

// spanPath is the page as of a time, with the same choices otherwise.
func spanPath(path string, query url.Values, at time.Time) string {
	q := chosen(query)
	q.Set("as_of", at.UTC().Truncate(time.Second).Format(time.RFC3339))
	return path + "?" + q.Encode()
}

// chosen are the choices of the page but the time and the place in the list.
func chosen(query url.Values) url.Values {
	q := url.Values{}
	for _, name := range []string{"host", "kind", "window", "near", "hops"} {
		if v := query.Get(name); v != "" {
			q.Set(name, v)
		}
	}
	return q
}
