package hosts

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/history"
	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
)

// momentsShown is how much a page of the timeline shows.
const momentsShown = 60

// onlyEvents is the choice of no changes, beside the kinds.
const onlyEvents = "events"

// timelineView is what happened to a host, and what changed on it.
type timelineView struct {
	host    Host
	at      time.Time // the newest that is shown; zero is now
	hours   int       // how far the slider reaches
	ago     int       // where it stands
	kind    string
	kinds   []ui.Option
	moments []ui.Moment
	older   string // address of what was before
}

func (s *Service) showTimeline(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	return s.lookBack(w, r, a, s.view("timeline", s.timeline))
}

func (s *Service) timeline(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	ctx, query, now := r.Context(), r.URL.Query(), time.Now()
	v := timelineView{host: h, kind: web.Text(query.Get("kind"))}
	var err error
	if v.at, err = web.Moment(query.Get("as_of")); err != nil {
		return nil, err
	}
	if !v.at.IsZero() {
		v.ago = max(0, int(now.Sub(v.at).Round(time.Hour).Hours()))
	}
	reach, err := history.ReachOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	v.hours = min(maxSlider, int(now.Sub(reach.Facts).Hours()))
	v.kinds = append([]ui.Option{{Value: "", Text: "everything"}, {Value: onlyEvents, Text: "events only"}}, s.Changes.Options()...)
	if !slices.ContainsFunc(v.kinds, func(o ui.Option) bool { return o.Value == v.kind }) {
		v.kinds = append(v.kinds, ui.Option{Value: v.kind, Text: v.kind}) // such as a script's
	}
	var happened, changed []ui.Moment
	if v.kind == "" || v.kind == onlyEvents {
		if happened, err = s.Happened(ctx, tx, h.ID, v.at, momentsShown); err != nil {
			return nil, err
		}
	}
	if v.kind != onlyEvents {
		if changed, err = s.Changes.Moments(ctx, tx, h.ID, v.kind, v.at, momentsShown); err != nil {
			return nil, err
		}
	}
	v.moments = slices.Concat(happened, changed)
	slices.SortStableFunc(v.moments, func(a, b ui.Moment) int { return b.At.Compare(a.At) })
	if len(v.moments) >= momentsShown {
		v.moments = v.moments[:momentsShown]
		last := v.moments[momentsShown-1].At.UTC().Format(time.RFC3339Nano)
		v.older = string(pathOf(h)) + "/timeline?" + url.Values{"as_of": {last}, "kind": {v.kind}}.Encode()
	}
	return timelineBody(v), nil
}
