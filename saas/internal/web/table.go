package web

import (
	"cmp"
	"slices"

	"assimilation/tenancy"
)

// Sort says by which door a route was registered.
type Sort string

// The sorts of routes.
const (
	APIRoute        Sort = "api"         // an operation below /v1
	PageRoute       Sort = "page"        // of the console, for actors
	PublicPageRoute Sort = "public page" // of the console, for anyone
	PublicRoute     Sort = "public"      // for programs that authenticate by themselves, or need not
)

// Route is a line of the service's route table.
type Route struct {
	Pattern string // ServeMux's, with the method
	Sort    Sort
	Action  tenancy.Action // what it needs; "" where anyone may come
}

// Routes lists everything that features registered, by pattern. What the front
// itself answers (assets, health, the description, the live stream) is not in it.
func (s *Web) Routes() []Route {
	routes := slices.Clone(s.routes)
	for path, item := range s.API.OpenAPI().Paths {
		for _, op := range operationsOf(item) {
			action, _ := op.Metadata[needsKey].(tenancy.Action)
			if action == anyone {
				action = ""
			}
			routes = append(routes, Route{op.Method + " " + path, APIRoute, action})
		}
	}
	slices.SortFunc(routes, func(a, b Route) int { return cmp.Compare(a.Pattern, b.Pattern) })
	return routes
}
