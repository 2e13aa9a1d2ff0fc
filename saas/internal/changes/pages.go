package changes

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/discovery"
	"assimilation/saas/internal/history"
	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

const perPage = 100

// csvRows is how many changes a file has: each is compared with what was before.
const csvRows = 2000

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /changes", tenancy.Read, s.showChanges)
}

func (s *Service) showChanges(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	query, now := r.URL.Query(), time.Now()
	if text := query.Get("ago"); text != "" { // the slider; the answer's address says when
		hours, err := strconv.Atoi(text)
		if err != nil || hours < 0 || hours > int(widest.Hours()) {
			return web.NewProblem(http.StatusUnprocessableEntity, web.Invalid, "that is no number of hours to look back")
		}
		to := "/changes?" + chosen(query).Encode()
		if hours > 0 {
			to = spanPath("/changes", query, now.Add(-time.Duration(hours)*time.Hour))
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	v, err := s.viewOf(query, now)
	if err != nil {
		return err
	}
	v.filter.Host = web.Text(query.Get("host"))
	v.filter.Near, v.filter.Hops = web.Text(query.Get("near")), hopsOf(query)
	if web.WantsCSV(r) {
		v.filter.Limit = csvRows
	}
	var next string
	v.items, next, err = s.List(r.Context(), a, v.filter)
	if wrong, ok := errors.AsType[huma.StatusError](err); ok && v.filter.Near != "" && wrong.GetStatus() < http.StatusInternalServerError {
		v.wrong, err = wrong.Error(), nil
	}
	if err != nil {
		return err
	}
	if web.WantsCSV(r) {
		web.SendCSV(w, "changes", []string{"seen_at", "host", "host_id", "kind", "instance", "op", "summary"}, csvOf(v.items))
		return nil
	}
	v.next, v.csv = nextPage("/changes", query, next), web.CSVOf(r)
	err = s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) (err error) {
		if v.views, err = s.Views(r.Context(), tx, a, r.URL); err != nil {
			return err
		}
		return v.look(r.Context(), tx, "/changes", query)
	})
	if err != nil {
		return err
	}
	return web.Render(w, r, 0, "Changes", "/changes", changesPage(v))
}

func csvOf(items []Change) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, c := range items {
			if !yield([]string{c.SeenAt.Format(time.RFC3339), c.Host, c.HostID.String(), c.Kind, c.Instance, string(c.Op), c.Summary}) {
				return
			}
		}
	}
}

// look adds what the page shows around the list: bars, and how far the slider
// reaches.
func (v *view) look(ctx context.Context, tx pgx.Tx, path string, query url.Values) error {
	reach, err := history.ReachOf(ctx, tx)
	if err != nil {
		return err
	}
	now := time.Now()
	v.path, v.query, v.step = path, chosen(query), steps[v.window]
	v.hours = min(int(widest.Hours()), max(1, int(now.Sub(reach.Facts).Hours())))
	until := now
	if !v.filter.Until.IsZero() {
		until = v.filter.Until
		v.ago = min(v.hours, max(0, int(now.Sub(until).Round(time.Hour).Hours())))
	}
	if v.filter.Near == "" && v.step > 0 {
		v.bars, err = density(ctx, tx, v.filter, path, query, v.step, until)
	}
	return err
}

// OfHost shows what changed on one host, within its page.
func (s *Service) OfHost(ctx context.Context, tx pgx.Tx, host tenancy.HostID, query url.Values) (templ.Component, error) {
	v, err := s.viewOf(query, time.Now())
	if err != nil {
		return nil, err
	}
	v.filter.Host, v.onHost = host.String(), true
	path := "/hosts/" + host.String() + "/changes"
	var next string
	if v.items, next, err = s.list(ctx, tx, v.filter); err != nil {
		return nil, err
	}
	v.next = nextPage(path, query, next)
	v.csv = "/changes?" + url.Values{"host": {host.String()}, "kind": {v.filter.Kind}, "window": {v.window}, "format": {"csv"}, "as_of": {query.Get("as_of")}}.Encode()
	return hostView(path, v), v.look(ctx, tx, path, query)
}

// How many changes the overview and a host's summary show.
const (
	recent = 12
	latest = 6
)

// Recent shows the newest changes, for the overview.
func (s *Service) Recent(ctx context.Context, tx pgx.Tx, since time.Time) (templ.Component, error) {
	items, _, err := s.list(ctx, tx, Filter{Since: since, Limit: recent})
	return rows(view{items: items, inline: 2}), err
}

// Latest shows the newest changes of one host.
func (s *Service) Latest(ctx context.Context, tx pgx.Tx, host tenancy.HostID) (templ.Component, error) {
	items, _, err := s.list(ctx, tx, Filter{Host: host.String(), Limit: latest})
	return rows(view{items: items, onHost: true, inline: 2}), err
}

// Moments is what changed on one host before a time, newest first, of all kinds
// or one.
func (s *Service) Moments(ctx context.Context, tx pgx.Tx, host tenancy.HostID, kind string, before time.Time, limit int) ([]ui.Moment, error) {
	items, _, err := s.list(ctx, tx, Filter{Host: host.String(), Kind: kind, Until: before, Limit: limit})
	var moments []ui.Moment
	for _, run := range runs(items) {
		moments = append(moments, ui.Moment{At: run[len(run)-1].At, Row: moment(run)})
	}
	return moments, err
}

// Options are the kinds that a list can be filtered by.
func (s *Service) Options() []ui.Option {
	var options []ui.Option
	for _, k := range s.Kinds {
		options = append(options, ui.Option{Value: k.Name, Text: k.Name})
	}
	slices.SortFunc(options, func(a, b ui.Option) int { return strings.Compare(a.Text, b.Text) })
	return options
}

// Since shows what differs on one host now from what was at a time.
func (s *Service) Since(ctx context.Context, tx pgx.Tx, host tenancy.HostID, at time.Time) (templ.Component, error) {
	items, next, err := s.diff(ctx, tx, Span{From: at, Host: host.String(), Limit: perPage})
	return sinceTable(items, next != ""), err
}

// change is a difference in the form in which changes are shown.
func (d Difference) change() Change {
	return Change{SeenAt: d.SeenAt, Host: d.Host, HostID: d.HostID, Kind: d.Kind, Instance: d.Instance, Op: d.Op, Summary: d.Summary, Details: d.Details, More: d.More}
}

// viewOf reads what the form's choices share. An unknown window means the
// widest that is cheap.
func (s *Service) viewOf(query url.Values, now time.Time) (view, error) {
	v := view{inline: 5, window: query.Get("window"), filter: Filter{Kind: web.Text(query.Get("kind")), Cursor: query.Get("cursor"), Limit: perPage}}
	if v.window == "" {
		v.window = "168h"
	}
	at, err := web.Moment(query.Get("as_of"))
	if err != nil {
		return v, err
	}
	v.filter.Until = at
	if at.IsZero() {
		at = now
	}
	if d, err := time.ParseDuration(v.window); err == nil && d > 0 {
		v.filter.Since = at.Add(-d)
	}
	v.kinds = append([]ui.Option{{Value: "", Text: "all kinds"}}, s.Options()...)
	if v.filter.Kind != "" && !slices.ContainsFunc(v.kinds, func(o ui.Option) bool { return o.Value == v.filter.Kind }) {
		v.kinds = append(v.kinds, ui.Option{Value: v.filter.Kind, Text: v.filter.Kind}) // such as a script's
	}
	return v, nil
}

// hopsOf is how far near reaches; what is no such number is the middle.
func hopsOf(query url.Values) int {
	if n, err := strconv.Atoi(query.Get("hops")); err == nil && n >= 1 && n <= maxHops {
		return n
	}
	return 2
}

func nextPage(path string, query url.Values, cursor string) string {
	if cursor == "" {
		return ""
	}
	q := chosen(query)
	q.Set("cursor", cursor)
	if at := query.Get("as_of"); at != "" {
		q.Set("as_of", at)
	}
	return path + "?" + q.Encode()
}

// detailsID keeps a change's details open while the list around it is renewed.
func detailsID(c Change) string {
	h := fnv.New64a()
	fmt.Fprint(h, c.HostID, c.Kind, "/", c.Instance, c.At.UnixNano(), "/", c.Seq)
	return fmt.Sprintf("change-%x", h.Sum64())
}

// runs puts changes that follow one another into one row when each is a fact of
// the same host that was not there before: a new host brings some thirty.
func runs(items []Change) (all [][]Change) {
	for _, c := range items {
		if n := len(all); n > 0 && c.Op == Appeared {
			if last := all[n-1][0]; last.Op == Appeared && last.HostID == c.HostID {
				all[n-1] = append(all[n-1], c)
				continue
			}
		}
		all = append(all, []Change{c})
	}
	return all
}

// kindsOf names the kinds of a run, each once.
func kindsOf(run []Change) string {
	var kinds []string
	for _, c := range reports(run) {
		kinds = append(kinds, c.kind)
	}
	return strings.Join(kinds, ", ")
}

// report is what a run says of one kind.
type report struct{ kind, content string }

// reports joins the instances of each kind of a run: "checksums: 412 files".
func reports(run []Change) (all []report) {
	sorted := slices.SortedStableFunc(slices.Values(run), func(a, b Change) int { return strings.Compare(a.Kind, b.Kind) })
	for of := range chunks(sorted) {
		var wholes []string
		var counts []discovery.Count
		for _, c := range of {
			counts = append(counts, c.counts...)
			if c.whole != "" {
				wholes = append(wholes, c.whole)
			}
		}
		all = append(all, report{of[0].Kind, content(strings.Join(wholes, "; "), counts)})
	}
	return all
}

// chunks yields the changes of each kind of a sorted list.
func chunks(sorted []Change) iter.Seq[[]Change] {
	return func(yield func([]Change) bool) {
		for len(sorted) > 0 {
			n := 1
			for n < len(sorted) && sorted[n].Kind == sorted[0].Kind {
				n++
			}
			if !yield(sorted[:n]) {
				return
			}
			sorted = sorted[n:]
		}
	}
}
