package query

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/history"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

var (
	labelTable = regexp.MustCompile(`\{graph\}\."([A-Za-z_]+)"`)
	otherTable = regexp.MustCompile(`\bassim\.([a-z_]+)`)
)

// looksBack reports whether a question can be asked of the past: what it reads
// is labels of the graph, and names of sites, which are shown as they are now.
func (q *Query) looksBack() bool {
	ofNow := slices.ContainsFunc(otherTable.FindAllStringSubmatch(q.sql, -1), func(m []string) bool { return m[1] != "sites" })
	return !ofNow && !q.Relay && q.walk.way == "" && !strings.Contains(q.sql, "_ag_label_") && q.parameterOf(Entity) == ""
}

var errNoLookingBack = web.NewProblem(http.StatusUnprocessableEntity, web.NoLookingBack,
	"this query cannot look back yet: it reads more than the graph; ask without as_of")

// prepareAsOf refuses a time that is out of reach, and makes room for what
// changed since, where all that is is compared with it. A question that begins at
// few rows leads on from each, by JOIN {Label} x ON x.id = y.z, see history.Near.
func (q *Query) prepareAsOf(ctx context.Context, tx pgx.Tx, at time.Time) error {
	if err := history.Graph(ctx, tx, at); err != nil {
		return err
	}
	if q.few {
		// It finds all by indexes, whatever it is asked for: making a plan each time,
		// with all partitions of history, would take longer than the answer.
		_, err := tx.Exec(ctx, `SET LOCAL plan_cache_mode = force_generic_plan`)
		return err
	}
	// It cannot know how the tables of then are distributed, and compares each row
	// with each where it takes a table to have few.
	_, err := tx.Exec(ctx, `SET LOCAL work_mem = '64MB'; SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off`)
	return err
}

// textAsOf is text for another time than now, which is the argument after its
// last.
func (q *Query) textAsOf(tenant tenancy.TenantID) string {
	tables, past := history.NewTables(tenant, fmt.Sprintf("$%d::timestamptz", q.hiddenColumns()+len(q.bound)+3)), *q
	past.sql = labelTable.ReplaceAllString(q.sql, "{$1}")
	if q.few {
		past.sql = tables.Near(past.sql)
	} else {
		past.sql = tables.Whole(past.sql)
	}
	return past.text(tenant)
}
