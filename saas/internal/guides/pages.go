package guides

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/docs"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const section = "/guides" // of the navigation

// Service is the feature.
type Service struct {
	guides []Guide
}

// New reads the guides that the program holds.
func New() (*Service, error) {
	guides, err := Read(docs.Files)
	return &Service{guides}, err
}

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /guides", tenancy.Read, func(w http.ResponseWriter, r *http.Request, _ web.Actor) error {
		search := strings.TrimSpace(web.Text(r.URL.Query().Get("q")))
		return web.Render(w, r, 0, "Guides", section, listPage(s.find(search), search))
	})
	w.Page("GET /guides/{guide}", tenancy.Read, func(w http.ResponseWriter, r *http.Request, _ web.Actor) error {
		i := slices.IndexFunc(s.guides, func(g Guide) bool { return g.ID == r.PathValue("guide") })
		if i < 0 {
			return huma.Error404NotFound("there is no such guide")
		}
		return web.Render(w, r, 0, s.guides[i].Title, section, guidePage(s.guides[i]))
	})
}

// find lists the guides that hold all words of a search; none finds all.
func (s *Service) find(search string) (found []Guide) {
	words := strings.Fields(strings.ToLower(search))
	for _, g := range s.guides {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(g.text, word) }) {
			found = append(found, g)
		}
	}
	return found
}

// grouped splits a sorted list by group.
func grouped(all []Guide) (groups [][]Guide) {
	for _, g := range all {
		if n := len(groups); n > 0 && groups[n-1][0].Group == g.Group {
			groups[n-1] = append(groups[n-1], g)
			continue
		}
		groups = append(groups, []Guide{g})
	}
	return groups
}
