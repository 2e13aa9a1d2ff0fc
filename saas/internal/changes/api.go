package changes

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Register adds the REST operation.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-changes", Method: http.MethodGet, Path: "/v1/changes", Metadata: web.Needs(tenancy.Viewer), Tags: []string{"changes"},
		Summary: "What changed on hosts, newest first",
	}, func(ctx context.Context, in *struct {
		Host   string    `query:"host" maxLength:"255" doc:"id or name"`
		Kind   string    `query:"kind" maxLength:"32"`
		Since  time.Time `query:"since" doc:"that took effect here at this time or later"`
		Until  time.Time `query:"until" doc:"that took effect here before this time"`
		Cursor string    `query:"cursor" maxLength:"1024"`
		Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}) (*web.Answer[web.List[Change]], error) {
		return web.Listed(s.List(ctx, web.ActorFrom(ctx), Filter{web.Text(in.Host), web.Text(in.Kind), in.Since, in.Until, in.Cursor, in.Limit}))
	})
}
