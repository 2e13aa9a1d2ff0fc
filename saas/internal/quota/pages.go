package quota

import (
	"fmt"
	"net/http"
	"strings"

	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /usage", tenancy.Read, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		v, err := s.view(r.Context(), a.Tenant)
		if err != nil {
			return err
		}
		return web.Render(rw, r, 0, "Usage", "/usage", usagePage(v))
	})
}

// said is a number of the item's unit for people.
func (i item) said(n int64) string {
	if i.Quota == "storage" {
		return ui.Size(n)
	}
	return fmt.Sprint(n)
}

func (i item) tone() ui.Tone {
	switch {
	case i.Percent >= 100:
		return ui.Bad
	case i.Percent >= 100*near:
		return ui.Warn
	}
	return ui.Good
}

// Size of a drawing, in its own units.
const (
	drawnWidth  = 300
	drawnHeight = 60
)

// growth is the line of a figure over the days, for a drawing.
type growth struct {
	title       string
	first, last string
	points      string
}

// growthOf draws each figure from nothing up to its largest.
func growthOf(days []dayView) (all []growth) {
	for _, f := range []struct {
		title string
		of    func(dayView) int64
		said  func(int64) string
	}{
		{"Hosts", func(d dayView) int64 { return d.Hosts }, func(n int64) string { return fmt.Sprint(n) }},
		{"Changes a day", func(d dayView) int64 { return d.Changes }, func(n int64) string { return fmt.Sprint(n) }},
		{"Storage", func(d dayView) int64 { return d.Bytes }, ui.Size},
	} {
		most := int64(1)
		for _, d := range days {
			most = max(most, f.of(d))
		}
		var points []string
		for i, d := range days {
			x := drawnWidth
			if len(days) > 1 {
				x = i * drawnWidth / (len(days) - 1)
			}
			points = append(points, fmt.Sprintf("%d,%.1f", x, drawnHeight-2-float64(f.of(d))/float64(most)*(drawnHeight-4)))
		}
		if len(points) == 1 { // a line needs two
			points = append([]string{"0" + points[0][strings.Index(points[0], ","):]}, points...)
		}
		all = append(all, growth{f.title, f.said(f.of(days[0])), f.said(f.of(days[len(days)-1])), strings.Join(points, " ")})
	}
	return all
}
