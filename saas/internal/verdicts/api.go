package verdicts

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
	tags := []string{"verdicts"}
	huma.Register(api, huma.Operation{
		OperationID: "list-verdicts", Method: http.MethodGet, Path: "/v1/verdicts", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "What died and why, newest first",
	}, func(ctx context.Context, in *struct {
		Host   string    `query:"host" maxLength:"255" doc:"id or name of a host that they are about"`
		Site   string    `query:"site" maxLength:"100" doc:"id or name of a site"`
		Kind   string    `query:"kind" enum:"host down,agent down,agent unresponsive,shut down,link,switch down,zone down,site cut off,clone,clock stepped,site dark,relay stopped" example:"host down"`
		Open   bool      `query:"open" doc:"only those that are not over" example:"true"`
		Since  time.Time `query:"since" doc:"only those that were reached since"`
		Cursor string    `query:"cursor" maxLength:"256"`
		Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}) (*web.Answer[web.List[Verdict]], error) {
		return web.Listed(s.List(ctx, web.ActorFrom(ctx),
			Filter{web.Text(in.Host), web.Text(in.Site), in.Kind, in.Open, in.Since, in.Cursor, in.Limit}))
	})
	huma.Register(api, huma.Operation{
		OperationID: "get-verdict", Method: http.MethodGet, Path: "/v1/verdicts/{verdict}", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "One verdict with its evidence, in codes and in words",
	}, func(ctx context.Context, in *struct {
		Verdict string `path:"verdict" maxLength:"64" doc:"id" example:"4b9d9d0e-58f4-4b43-9f65-1f6f7d0b2a11"`
	}) (*web.Answer[Whole], error) {
		v, err := s.Get(ctx, web.ActorFrom(ctx), in.Verdict)
		return &web.Answer[Whole]{Body: v}, err
	})
}
