package depmap

import (
	"bytes"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type asked struct {
	Host string `query:"host" maxLength:"255" example:"web1" doc:"id or name: this host, what it uses and who uses it"`
	Site string `query:"site" maxLength:"100" example:"paris" doc:"id or name: the hosts of this site and what they depend on"`
}

// image is an answer that is a picture.
type image struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-map", Method: http.MethodGet, Path: "/v1/map", Metadata: web.Needs(tenancy.Viewer), Tags: []string{"map"},
		Summary: "Who depends on whom, with positions to draw it",
		Description: "Hosts with their services and endpoints, and the clients of those; without host and site, of the whole tenant. " +
			"At most 150 hosts and 1500 dependencies: left_out counts the rest.",
	}, func(ctx context.Context, in *asked) (*web.Answer[Map], error) {
		m, err := s.Draw(ctx, web.ActorFrom(ctx).Tenant, Scope(*in))
		return &web.Answer[Map]{Body: m}, err
	})
	huma.Register(api, huma.Operation{
		OperationID: "get-map-svg", Method: http.MethodGet, Path: "/v1/map.svg", Metadata: web.Needs(tenancy.Viewer), Tags: []string{"map"},
		Summary: "Who depends on whom, as a picture",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"image/svg+xml": {Schema: &huma.Schema{Type: huma.TypeString}}}}},
	}, func(ctx context.Context, in *asked) (*image, error) {
		m, err := s.Draw(ctx, web.ActorFrom(ctx).Tenant, Scope(*in))
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := m.WriteSVG(&b); err != nil {
			return nil, err
		}
		return &image{"image/svg+xml", b.Bytes()}, nil
	})
}
