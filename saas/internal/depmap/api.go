package depmap

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type asked struct {
	Host string `query:"host" maxLength:"255" example:"web1" doc:"id or name: this host, what it uses and who uses it"`
	Site string `query:"site" maxLength:"100" example:"paris" doc:"id or name: the hosts of this site and what they depend on"`
}

type drawingAsked struct {
	Type   Type     `query:"type" default:"everything" enum:"everything,service,network,ring" example:"network" doc:"rings are asked of the site's relay"`
	Format string   `query:"format" default:"svg" enum:"svg,dot,json" example:"dot" doc:"dot is for Graphviz"`
	Host   string   `query:"host" maxLength:"255" example:"web1" doc:"id or name: this host and its neighbours"`
	Site   string   `query:"site" maxLength:"100" example:"paris" doc:"id or name: the hosts of this site"`
	Subnet string   `query:"subnet" maxLength:"64" example:"10.0.0.0/24" doc:"the hosts with a link there; of type network"`
	Kinds  []string `query:"kinds" maxItems:"10" example:"host,subnet" doc:"only nodes of these kinds, by comma"`
}

func (in *drawingAsked) scope() Scope {
	s := Scope{Host: in.Host, Site: in.Site, Subnet: in.Subnet}
	for _, k := range in.Kinds {
		s.Kinds = append(s.Kinds, NodeKind(k))
	}
	return s
}

// image is an answer that is a picture.
type image struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-map", Method: http.MethodGet, Path: "/v1/map", Metadata: web.Needs(tenancy.Read), Tags: []string{"map"},
		Summary: "Who depends on whom, with positions to draw it",
		Description: "Hosts with their services and endpoints, and the clients of those; without host and site, of the whole tenant. " +
			"At most 150 hosts and 1500 dependencies: left_out counts the rest.",
	}, func(ctx context.Context, in *asked) (*web.Answer[Map], error) {
		m, err := s.Draw(ctx, web.ActorFrom(ctx), Services, Scope{Host: in.Host, Site: in.Site})
		return &web.Answer[Map]{Body: m}, err
	})
	huma.Register(api, huma.Operation{
		OperationID: "get-map-svg", Method: http.MethodGet, Path: "/v1/map.svg", Metadata: web.Needs(tenancy.Read), Tags: []string{"map"},
		Summary: "Who depends on whom, as a picture",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"image/svg+xml": {Schema: &huma.Schema{Type: huma.TypeString}}}}},
	}, func(ctx context.Context, in *asked) (*image, error) {
		m, err := s.Draw(ctx, web.ActorFrom(ctx), Services, Scope{Host: in.Host, Site: in.Site})
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := m.WriteSVG(&b); err != nil {
			return nil, err
		}
		return &image{"image/svg+xml", b.Bytes()}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "draw-graph", Method: http.MethodGet, Path: "/v1/graph/draw", Metadata: web.Needs(tenancy.Read), Tags: []string{"map"},
		Summary: "A picture of services, the network, both, or the heartbeat rings",
		Description: "At most 150 hosts are drawn. Dependencies of more are drawn by the names of services; of the rest, left_out counts what there is not. " +
			"Rings stay in the site: a site that keeps its topology is asked live, which needs the role operator.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"image/svg+xml": {Schema: &huma.Schema{Type: huma.TypeString}}, "text/vnd.graphviz": {Schema: &huma.Schema{Type: huma.TypeString}},
			"application/json": {Schema: huma.SchemaFromType(api.OpenAPI().Components.Schemas, reflect.TypeFor[Map]())}}}},
	}, func(ctx context.Context, in *drawingAsked) (*image, error) {
		m, err := s.Draw(ctx, web.ActorFrom(ctx), in.Type, in.scope())
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		switch in.Format {
		case "dot":
			err = m.WriteDOT(&b)
			return &image{"text/vnd.graphviz; charset=utf-8", b.Bytes()}, err
		case "json":
			err = json.NewEncoder(&b).Encode(m)
			return &image{"application/json", b.Bytes()}, err
		}
		err = m.WriteSVG(&b)
		return &image{"image/svg+xml", b.Bytes()}, err
	})
}
