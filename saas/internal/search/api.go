package search

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Register adds the REST operation.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "search", Method: http.MethodGet, Path: "/v1/search", Metadata: web.Needs(tenancy.Read), Tags: []string{"search"},
		Summary:     "Hosts, sites, addresses, MACs, services, packages and ports by name or number",
		Description: "Hosts and sites are found by any part of their name, all else by its beginning, ports by their number (443, 443/tcp).",
	}, func(ctx context.Context, in *struct {
		Q string `query:"q" required:"true" minLength:"1" maxLength:"100" example:"nginx"`
	}) (*web.Answer[Results], error) {
		found, err := s.Find(ctx, web.ActorFrom(ctx).Tenant, web.Text(in.Q))
		return &web.Answer[Results]{Body: found}, err
	})
}
