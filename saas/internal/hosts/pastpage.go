package hosts

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/saas/internal/history"
	"assimilation/saas/internal/web"
)

// maxSlider is how many hours the slider reaches back.
const maxSlider = 30 * 24

// showPast shows the host as of a time.
func (s *Service) showPast(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	return s.lookBack(w, r, a, s.view("past", s.past))
}

// lookBack serves a page with a slider, which says how many hours ago; the answer
// is at an address that says when, so that it can be passed on.
func (s *Service) lookBack(w http.ResponseWriter, r *http.Request, a web.Actor, show func(http.ResponseWriter, *http.Request, web.Actor) error) error {
	query := r.URL.Query()
	text := query.Get("ago")
	if text == "" {
		return show(w, r, a)
	}
	hours, err := strconv.Atoi(text)
	if err != nil || hours < 0 || hours > maxSlider {
		return web.NewProblem(http.StatusUnprocessableEntity, web.Invalid, "that is no number of hours to look back")
	}
	query.Del("ago")
	query.Set("as_of", time.Now().UTC().Add(-time.Duration(hours)*time.Hour).Truncate(time.Second).Format(time.RFC3339))
	http.Redirect(w, r, r.URL.Path+"?"+query.Encode(), http.StatusSeeOther)
	return nil
}

func pastPath(h Host, at time.Time) templ.SafeURL {
	return pathOf(h) + templ.SafeURL("/past?"+url.Values{"as_of": {at.UTC().Format(time.RFC3339)}}.Encode())
}

// momentOf reads the address's time; without one it is now.
func momentOf(query url.Values, now time.Time) (time.Time, error) {
	at, err := web.Moment(query.Get("as_of"))
	if err == nil && at.IsZero() {
		at = now
	}
	return at, err
}

func (s *Service) past(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	ctx, now := r.Context(), time.Now()
	at, err := momentOf(r.URL.Query(), now)
	if err != nil {
		return nil, err
	}
	reach, err := history.ReachOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	v := pastView{host: h, now: h, at: at, hours: min(maxSlider, int(now.Sub(reach.Facts).Hours())), ago: max(0, int(now.Sub(at).Round(time.Hour).Hours()))}
	err = s.fillPast(ctx, tx, &v)
	if problem, ok := errors.AsType[*web.Problem](err); ok {
		v.wrong, err = problem.Detail+".", nil
	}
	return pastBody(v), err
}

func (s *Service) fillPast(ctx context.Context, tx pgx.Tx, v *pastView) (err error) {
	if v.whole, err = wholeAt(ctx, tx, web.ActorFrom(ctx).Tenant, v.now, v.at); err != nil {
		return err
	}
	v.host.Name, v.host.State = v.whole.Name, v.whole.State
	if v.system, err = readKindAt[os.Facts](ctx, tx, v.now.ID, os.Kind, v.at); err != nil {
		return err
	}
	links, err := readKindAt[network.Facts](ctx, tx, v.now.ID, network.Kind, v.at)
	if err != nil {
		return err
	}
	v.addresses = addressesOf(links)
	v.since, err = s.Changes.Since(ctx, tx, v.now.ID, v.at)
	return err
}
