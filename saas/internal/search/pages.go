package search

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const maxText = 100

// Pages adds the page of results.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /search", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		text := web.Text(r.URL.Query().Get("q"))
		if len([]rune(text)) > maxText {
			return huma.Error422UnprocessableEntity("a search has at most 100 characters")
		}
		found, err := s.Find(r.Context(), a.Tenant, text)
		if err != nil {
			return err
		}
		return web.Render(w, r, 0, "Search", "", resultsPage(text, found))
	})
}

// group is the results of one kind.
type group struct {
	kind  Kind
	title string
	items []Result
	more  bool
}

var titles = map[Kind]string{
	Host: "Hosts", Site: "Sites", Address: "Addresses", MAC: "Hardware addresses", Port: "Ports", Program: "Services",
	Child: "Containers, guests, pods", Unit: "Units", Package: "Packages", File: "Files",
}

func grouped(found Results) (groups []group) {
	for _, kind := range order {
		g := group{kind: kind, title: titles[kind]}
		for _, i := range found.Items {
			if i.Kind == kind {
				g.items = append(g.items, i)
			}
		}
		for _, k := range found.More {
			g.more = g.more || k == kind
		}
		if len(g.items) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}
