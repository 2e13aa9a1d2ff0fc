package changes

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-changes", Method: http.MethodGet, Path: "/v1/changes", Metadata: web.Needs(tenancy.Read), Tags: []string{"changes"},
		Summary: "What changed on hosts, newest first",
	}, func(ctx context.Context, in *struct {
		Host   string    `query:"host" maxLength:"255" doc:"id or name"`
		Kind   string    `query:"kind" maxLength:"32"`
		Since  time.Time `query:"since" doc:"that took effect here at this time or later; with near, a day back by default"`
		Until  time.Time `query:"until" doc:"that took effect here before this time"`
		Near   string    `query:"near" maxLength:"255" doc:"id or name of a host: only changes on it and on hosts that depend on it or that it depends on, at most 1000, the nearest first"`
		Hops   int       `query:"hops" minimum:"1" maximum:"4" default:"2" doc:"how many dependencies away near reaches"`
		Cursor string    `query:"cursor" maxLength:"1024"`
		Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}) (*web.Answer[web.List[Change]], error) {
		return web.Listed(s.List(ctx, web.ActorFrom(ctx), Filter{Host: web.Text(in.Host), Kind: web.Text(in.Kind), Since: in.Since, Until: in.Until,
			Cursor: in.Cursor, Limit: in.Limit, Near: web.Text(in.Near), Hops: in.Hops}))
	})

	huma.Register(api, huma.Operation{
		OperationID: "diff", Method: http.MethodGet, Path: "/v1/diff", Metadata: web.Needs(tenancy.Read), Tags: []string{"changes"},
		Summary: "What differs between two times, by host; what changed and changed back does not",
	}, func(ctx context.Context, in *struct {
		From   time.Time `query:"from" required:"true"`
		To     time.Time `query:"to" doc:"default now"`
		Host   string    `query:"host" maxLength:"255" doc:"id or name"`
		Kind   string    `query:"kind" maxLength:"32"`
		Cursor string    `query:"cursor" maxLength:"1024"`
		Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}) (*web.Answer[web.List[Difference]], error) {
		return web.Listed(s.Diff(ctx, web.ActorFrom(ctx), Span{in.From, in.To, web.Text(in.Host), web.Text(in.Kind), in.Cursor, in.Limit}))
	})
}
