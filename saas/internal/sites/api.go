package sites

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Mount adds the endpoints of relays that are about sites.
func (s *Service) Mount(w *web.Web) {
	w.Public("GET /relay/v1/keys/{hash}", 0, s.Channel.ServeKey())
	w.Public("POST /relay/v1/enrol", relaychan.MaxSmall, s.Channel.ServeEnrolment(s.Enrol))
	w.Public("POST /relay/v1/orders", relaychan.MaxSmall, s.Channel.Serve(uplink.PurposeOrdersRequest, s.Orders))
}

type list[T any] struct {
	Body struct {
		Items []T    `json:"items" nullable:"false"`
		Next  string `json:"next_cursor,omitempty" doc:"cursor of the next page; absent on the last"`
	}
}

func listOf[T any](items []T, next string) *list[T] {
	l := &list[T]{}
	l.Body.Items, l.Body.Next = items, next
	if items == nil {
		l.Body.Items = []T{}
	}
	return l
}

type one[T any] struct{ Body T }

// Paging and InSite are parts of inputs; huma sees exported ones only.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before"`
}

// InSite names a site.
type InSite struct {
	Site string `path:"site" maxLength:"100" doc:"id or name of a site"`
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	s.registerSites(api)
	s.registerLocation(api)
	s.registerKeys(api)
	s.registerRelays(api)
	s.registerTokens(api)
	s.registerInstall(api)
	s.registerPending(api)
}

func (s *Service) registerSites(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-sites", Method: http.MethodGet, Path: "/v1/sites", Metadata: web.Needs(tenancy.Read), Tags: []string{"sites"},
		Summary: "List sites, oldest first",
	}, func(ctx context.Context, in *struct{ Paging }) (*list[Site], error) {
		sites, next, err := s.List(ctx, web.ActorFrom(ctx).Tenant, Page{in.Limit, in.Cursor})
		if err != nil {
			return nil, err
		}
		return listOf(sites, next), nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "create-site", Method: http.MethodPost, Path: "/v1/sites", Metadata: web.Needs(tenancy.CreateSite), Tags: []string{"sites"},
		Summary: "Create a site", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *struct {
		Body struct {
			Name string `json:"name" minLength:"1" maxLength:"100"`
		}
	}) (*one[Site], error) {
		site, err := s.Create(ctx, web.ActorFrom(ctx), in.Body.Name)
		if err != nil {
			return nil, err
		}
		return &one[Site]{site}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "get-site", Method: http.MethodGet, Path: "/v1/sites/{site}", Metadata: web.Needs(tenancy.Read), Tags: []string{"sites"},
		Summary: "Get a site",
	}, func(ctx context.Context, in *InSite) (*one[Site], error) {
		site, err := s.Get(ctx, web.ActorFrom(ctx).Tenant, in.Site)
		if err != nil {
			return nil, err
		}
		return &one[Site]{site}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "set-site-policy", Method: http.MethodPatch, Path: "/v1/sites/{site}", Metadata: web.Needs(tenancy.ManageSite), Tags: []string{"sites"},
		Summary: "Change a site's policy: what is given changes, the rest stays",
	}, func(ctx context.Context, in *struct {
		InSite
		Body struct {
			Residency *uplink.Residency `json:"residency,omitempty" enum:"site,replicate"`
			BeatMS    *int64            `json:"beat_ms,omitempty" minimum:"500" maximum:"10000"`
			Places    map[string]string `json:"places,omitempty" doc:"replaces all places"`
		}
	}) (*one[Site], error) {
		site, err := s.SetPolicy(ctx, web.ActorFrom(ctx), in.Site, PolicyChange{in.Body.Residency, in.Body.BeatMS, in.Body.Places})
		if err != nil {
			return nil, err
		}
		return &one[Site]{site}, nil
	})
}

func (s *Service) registerRelays(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-relays", Method: http.MethodGet, Path: "/v1/sites/{site}/relays", Metadata: web.Needs(tenancy.Read), Tags: []string{"sites"},
		Summary: "List a site's relays, oldest first",
	}, func(ctx context.Context, in *struct {
		InSite
		Paging
	}) (*list[Relay], error) {
		relays, next, err := s.Relays(ctx, web.ActorFrom(ctx).Tenant, in.Site, Page{in.Limit, in.Cursor})
		if err != nil {
			return nil, err
		}
		return listOf(relays, next), nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "revoke-relay", Method: http.MethodDelete, Path: "/v1/relays/{relay}", Metadata: web.Needs(tenancy.ManageSite), Tags: []string{"sites"},
		Summary: "Revoke a relay: nothing it sends is taken any more", DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *struct {
		Relay string `path:"relay" format:"uuid"`
	}) (*struct{}, error) {
		return nil, s.RevokeRelay(ctx, web.ActorFrom(ctx), in.Relay)
	})
}

func (s *Service) registerTokens(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/v1/sites/{site}/tokens", Metadata: web.Needs(tenancy.Read), Tags: []string{"tokens"},
		Summary: "List a site's enrolment tokens, newest first, without their secrets",
	}, func(ctx context.Context, in *struct {
		InSite
		Paging
	}) (*list[Token], error) {
		tokens, next, err := s.Tokens(ctx, web.ActorFrom(ctx).Tenant, in.Site, Page{in.Limit, in.Cursor})
		if err != nil {
			return nil, err
		}
		return listOf(tokens, next), nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "mint-token", Method: http.MethodPost, Path: "/v1/sites/{site}/tokens", Metadata: web.Needs(tenancy.ManageSite), Tags: []string{"tokens"},
		Summary: "Mint an enrolment token for a relay or for probes", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *struct {
		InSite
		Body struct {
			Kind         Use               `json:"kind" enum:"probe,relay"`
			Name         string            `json:"name,omitempty" maxLength:"100"`
			TTL          int64             `json:"ttl_seconds,omitempty" minimum:"1" maximum:"31622400" doc:"default: a day for a relay, seven for probes"`
			MaxUses      int64             `json:"max_uses,omitempty" minimum:"1" maximum:"1000000" doc:"default: no limit"`
			Labels       map[string]string `json:"labels,omitempty" doc:"put on the hosts that enrol with it"`
			RelayAddress string            `json:"relay_address,omitempty" maxLength:"255" doc:"host:port of the relay, for probes that cannot hear it by multicast; default: where the site's relay says it is"`
		}
	}) (*one[Minted], error) {
		minted, err := s.MintToken(ctx, web.ActorFrom(ctx), in.Site, Mint{
			Kind: in.Body.Kind, Name: in.Body.Name, TTL: time.Duration(in.Body.TTL) * time.Second, MaxUses: in.Body.MaxUses,
			Labels: in.Body.Labels, RelayAddress: in.Body.RelayAddress,
		})
		if err != nil {
			return nil, err
		}
		return &one[Minted]{minted}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: "/v1/tokens/{token}", Metadata: web.Needs(tenancy.ManageSite), Tags: []string{"tokens"},
		Summary: "Revoke an enrolment token at once; what it enrolled stays", DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *struct {
		Token string `path:"token" minLength:"12" maxLength:"12"`
	}) (*struct{}, error) {
		return nil, s.RevokeToken(ctx, web.ActorFrom(ctx), in.Token)
	})
}
