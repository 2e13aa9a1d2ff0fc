// Package settings is the page that leads to all that a tenant can decide: how
// long the past is held, what stays in its sites, who comes in, what is sent
// elsewhere. Each decision belongs to the feature that keeps to it.
package settings

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/history"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

const section = "/settings" // of the navigation

// Service is the feature. All fields are required.
type Service struct {
	DB *store.DB
	// SetHistory sets how many days of the past are held.
	SetHistory func(ctx context.Context, a web.Actor, factDays, graphDays int) (history.Reach, error)
}

// Days that the past can be held.
const (
	leastDays = 7
	mostDays  = 3650
)

// maxSites bounds the list of the page.
const maxSites = 500

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /settings", tenancy.Read, s.show)
	w.Page("POST /settings/history", tenancy.SetTenant, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := r.ParseForm(); err != nil {
			return huma.Error400BadRequest("the form could not be read")
		}
		facts, err := days(r.PostForm.Get("fact_days"))
		if err != nil {
			return err
		}
		graph, err := days(r.PostForm.Get("graph_days"))
		if err != nil {
			return err
		}
		if _, err := s.SetHistory(r.Context(), a, facts, graph); err != nil {
			return err
		}
		http.Redirect(w, r, section, http.StatusSeeOther)
		return nil
	})
}

func days(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < leastDays || n > mostDays {
		return 0, huma.Error422UnprocessableEntity("the past can be held for " + strconv.Itoa(leastDays) + " to " + strconv.Itoa(mostDays) + " days")
	}
	return n, nil
}

// heldSince says what can be looked back to now.
func heldSince(r history.Reach) string {
	const day = "2 January 2006"
	return fmt.Sprintf("Facts can be seen as of any time since %s, the graph since %s. Between %d and %d days.",
		r.Facts.UTC().Format(day), r.Graph.UTC().Format(day), leastDays, mostDays)
}

// view is the page.
type view struct {
	tenant string
	id     tenancy.TenantID
	may    func(tenancy.Action) bool
	reach  history.Reach
	sites  []site
	more   []lead
}

// site is where the topology of a site may be.
type site struct {
	ID        tenancy.SiteID
	Name      string
	Residency uplink.Residency
	BeatMS    int64
}

// lead is a page where something else is decided.
type lead struct {
	href, title, line string
	needs             tenancy.Action
}

// leads are the pages, in the order in which people meet them.
var leads = []lead{
	{"/members", "Members", "Who belongs to the tenant, and what they may do.", tenancy.ReadMembers},
	{"/entry", "How people come in", "Single sign-on, domains, a second factor for all.", tenancy.SetEntry},
	{"/audit", "Audit log", "Who changed what, from where, before and after; as CSV and JSON.", tenancy.ReadAudit},
	{"/export", "OpenTelemetry", "Verdicts, changes and host metrics, sent to your collector.", tenancy.SetExport},
	{"/webhooks", "Webhooks", "Your addresses are called when something happens.", tenancy.SetExport},
	{"/account", "API tokens", "For programs and the command line; your own sessions.", tenancy.Own},
	{"/usage", "Usage", "How much of what is allowed the tenant uses.", tenancy.ReadMembers},
	{"/tenant", "Export and deletion", "All that the tenant holds, as a file, and its end.", tenancy.ReadMembers},
}

func (s *Service) show(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	v := view{tenant: a.TenantName, id: a.Tenant, may: a.May}
	for _, l := range leads {
		if a.May(l.needs) {
			v.more = append(v.more, l)
		}
	}
	err := s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) (err error) {
		if v.reach, err = history.ReachOf(r.Context(), tx); err != nil {
			return err
		}
		rows, err := tx.Query(r.Context(), `SELECT id, name, residency, beat_ms FROM assim.sites ORDER BY lower(name), id LIMIT $1`, maxSites)
		if err != nil {
			return err
		}
		v.sites, err = pgx.CollectRows(rows, pgx.RowToStructByPos[site])
		return err
	})
	if err != nil {
		return err
	}
	return web.Render(w, r, 0, "Settings", section, settingsPage(v))
}
