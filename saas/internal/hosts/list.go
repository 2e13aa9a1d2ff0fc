package hosts

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/uplink"
)

// Filter chooses hosts. Empty fields choose all; retired hosts are shown only
// when their state is asked for.
type Filter struct {
	Site   string // id or name
	State  string // as shown, or pending or cloned
	Name   string // part of the name
	System string // part of the operating system, the architecture or the probe's version
	Label  string // name=value, or a name alone
	Wrong  bool   // only those with open findings
	Cursor string
	Limit  int
}

// What is no state of a host, and looked for as if it were.
const (
	pending = "pending" // it is enrolled and has told nothing yet
	cloned  = "cloned"  // its identity is used by two machines at once
)

// conditions of a filter; the planner sees only those that there are.
func (f Filter) conditions() (sql string, args []any, err error) {
	var all []string
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		all = append(all, condition)
	}
	switch f.State {
	case "":
		add(`h.retired_at IS NULL`)
	case pending:
		add(`h.retired_at IS NULL AND NOT EXISTS (SELECT FROM assim.facts f WHERE f.tenant = h.tenant AND f.host = h.id)`)
	case cloned:
		add(`h.retired_at IS NULL AND EXISTS (SELECT FROM assim.verdict_hosts vh JOIN assim.verdicts v ON v.tenant = vh.tenant AND v.id = vh.verdict
			WHERE vh.tenant = h.tenant AND vh.host = h.id AND v.kind = ? AND v.over_at IS NULL)`, string(uplink.Clone))
	default:
		add(shownState+` = ?`, f.State)
	}
	if f.Site != "" {
		add(`(s.id::text = ? OR s.name = ?)`, f.Site, f.Site)
	}
	if f.Name != "" {
		add(`strpos(h.name_lower, lower(?)) > 0`, f.Name)
	}
	if f.System != "" {
		add(`strpos(lower(h.os || ' ' || h.arch || ' ' || h.agent_version), lower(?)) > 0`, f.System)
	}
	if name, value, given := strings.Cut(f.Label, "="); given {
		add(`h.labels ->> ?::text = ?`, strings.TrimSpace(name), strings.TrimSpace(value))
	} else if name != "" {
		add(`jsonb_exists(h.labels, ?)`, strings.TrimSpace(name))
	}
	if f.Wrong {
		add(`EXISTS (SELECT FROM assim.findings f WHERE f.tenant = h.tenant AND f.host = h.id AND f.closed_at IS NULL)`)
	}
	if f.Cursor != "" {
		name, id, err := parseCursor(f.Cursor)
		if err != nil {
			return "", nil, err
		}
		add(`(h.name_lower, h.id) > (?, ?::uuid)`, name, id)
	}
	args = append(args, f.Limit+1)
	return `WHERE ` + strings.Join(all, " AND ") + fmt.Sprintf(` ORDER BY h.name_lower, h.id LIMIT $%d`, len(args)), args, nil
}

func listHosts(ctx context.Context, tx pgx.Tx, f Filter) ([]Host, string, error) {
	where, args, err := f.conditions()
	if err != nil {
		return nil, "", err
	}
	rows, err := tx.Query(ctx, selectHost+where, args...)
	if err != nil {
		return nil, "", err
	}
	hosts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Host])
	if err != nil || len(hosts) <= f.Limit {
		return hosts, "", err
	}
	last := hosts[f.Limit-1]
	return hosts[:f.Limit], makeCursor(last), nil
}

// listView is the page of all hosts.
type listView struct {
	hosts  []Host
	filter Filter
	sites  []string
	views  templ.Component // with names
	clones int             // identities that two machines use at once
	query  url.Values
	next   string
	csv    string
}

// How many hosts a page lists, unless its address says otherwise.
const (
	perPage = 200
	maxPage = 1000
)

func (s *Service) showList(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	q := r.URL.Query()
	f := Filter{Site: web.Text(q.Get("site")), State: web.Text(q.Get("state")), Name: web.Text(q.Get("name")), System: web.Text(q.Get("system")),
		Label: web.Text(q.Get("label")), Wrong: q.Get("findings") == "true", Cursor: q.Get("cursor"), Limit: perPage}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		f.Limit = min(n, maxPage)
	}
	if web.WantsCSV(r) {
		f.Limit = web.MaxCSV
	}
	v := listView{filter: f, query: q, csv: web.CSVOf(r)}
	err := s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) (err error) {
		if v.hosts, v.next, err = listHosts(r.Context(), tx, f); err != nil || web.WantsCSV(r) {
			return err
		}
		if v.sites, err = siteNames(r.Context(), tx); err != nil {
			return err
		}
		if v.views, err = s.Views(r.Context(), tx, a, r.URL); err != nil {
			return err
		}
		return tx.QueryRow(r.Context(), `SELECT count(*) FROM assim.verdicts WHERE kind = $1 AND over_at IS NULL`, string(uplink.Clone)).Scan(&v.clones)
	})
	if err != nil {
		return err
	}
	if web.WantsCSV(r) {
		web.SendCSV(w, "hosts", []string{"name", "id", "state", "state_at", "site", "os", "arch", "probe", "labels", "enrolled_at", "changed_at", "findings"}, csvOf(v.hosts))
		return nil
	}
	return web.Render(w, r, 0, "Hosts", section, listPage(v))
}

func csvOf(hosts []Host) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, h := range hosts {
			if !yield([]string{h.Name, h.ID.String(), h.State, csvTime(h.StateAt), h.SiteName, h.OS, h.Arch, h.AgentVersion, ui.LabelText(h.Labels),
				csvTime(h.EnrolledAt), csvTime(h.ChangedAt), strconv.Itoa(h.Findings)}) {
				return
			}
		}
	}
}

func csvTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (f Filter) any() bool {
	return f.Site != "" || f.State != "" || f.Name != "" || f.System != "" || f.Label != "" || f.Wrong || f.Cursor != ""
}

func (v listView) nextPage() string {
	q := url.Values{"cursor": {v.next}}
	for _, name := range []string{"site", "state", "name", "system", "label", "findings", "limit"} {
		if value := v.query.Get(name); value != "" {
			q.Set(name, value)
		}
	}
	return "/hosts?" + q.Encode()
}

// siteOptions are the choices of sites; one chosen by id is shown as such.
func siteOptions(names []string, chosen string) []ui.Option {
	options := []ui.Option{{Value: "", Text: "all sites"}}
	known := chosen == ""
	for _, name := range names {
		options = append(options, ui.Option{Value: name, Text: name})
		known = known || name == chosen
	}
	if !known {
		options = append(options, ui.Option{Value: chosen, Text: "site " + chosen[:min(8, len(chosen))]})
	}
	return options
}
