package topology

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Mount adds the endpoint of relays.
func (s *Service) Mount(w *web.Web, channel *relaychan.Channel) {
	w.Public("POST /relay/v1/answer", uplink.MaxEnvelope, channel.Serve(uplink.PurposeAnswer, s.Take))
}

// Register adds the REST operation.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-site-topology", Method: http.MethodGet, Path: "/v1/sites/{site}/topology", Metadata: web.Needs(tenancy.Read), Tags: []string{"sites"},
		Summary: "Ask a site's relays how it is wired",
		Description: "Switches, ports, hosts, zones and rings, as the relays know them now; nothing is stored of the answer, and every question is in the audit log. " +
			"It needs the role operator unless the site's policy is replicate. 504: no relay answered in time.",
	}, func(ctx context.Context, in *struct {
		Site string `path:"site" maxLength:"100" doc:"id or name of a site"`
	}) (*web.Answer[uplink.Topology], error) {
		t, err := s.Ask(ctx, web.ActorFrom(ctx), in.Site)
		return &web.Answer[uplink.Topology]{Body: t}, err
	})
}
