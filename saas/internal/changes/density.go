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
	bars := make([]ui.Bar, n)
	begins := make([]time.Time, n+1)
	for i := range begins {
		begins[i] = from.Add(time.Duration(i) * step)
	}
	for i := range bars {
		bars[i].From = begins[i]
		bars[i].Href = spanPath(path, query, begins[i+1])
	}
	// Row security lets nothing but plain values reach an index, and no sum of them.
	args := []any{begins[:n], begins[1:], maxInBar}
	conditions := []string{"v.at >= b.begin", `v.at < b."end"`}
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
		SELECT b.i, (SELECT count(*)::int FROM (SELECT FROM assim.fact_versions v WHERE `+strings.Join(conditions, " AND ")+` LIMIT $3) x)
		FROM unnest($1::timestamptz[], $2::timestamptz[]) WITH ORDINALITY AS b(begin, "end", i)`, args...)
	if err != nil {
		return nil, err
	}
	var i, count int
	_, err = pgx.ForEachRow(rows, []any{&i, &count}, func() error {
		bars[i-1].Count = count
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
