package web

import (
	"cmp"
	"slices"

	"github.com/danielgtaylor/huma/v2"

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

// Routes lists everything that features registered, by pattern, also operations that
// are left out of the description. What the front itself answers (assets, health, the
// description) is not in it, but for the live stream.
func (s *Web) Routes() []Route {
	return slices.SortedFunc(slices.Values(s.routes), func(a, b Route) int { return cmp.Compare(a.Pattern, b.Pattern) })
}

// operation notes one of the API's routes.
func (s *Web) operation(op *huma.Operation, action tenancy.Action) {
	if action == anyone {
		action = ""
	}
	s.routes = append(s.routes, Route{op.Method + " " + op.Path, APIRoute, action})
}
