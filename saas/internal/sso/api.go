package sso

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type providerView struct {
	Issuer      string                  `json:"issuer"`
	ClientID    string                  `json:"client_id"`
	RoleClaim   string                  `json:"role_claim,omitempty"`
	RoleMap     map[string]tenancy.Role `json:"role_map,omitempty"`
	DefaultRole tenancy.Role            `json:"default_role,omitempty"`
	Callback    string                  `json:"callback" doc:"what the provider must know as redirect address"`
	Start       string                  `json:"start" doc:"where people begin"`
}

type domainView struct {
	Domain    string     `json:"domain"`
	Challenge string     `json:"challenge" doc:"what a TXT record of the domain must say"`
	ProvedAt  *time.Time `json:"proved_at,omitempty"`
}

func viewOf(d domain) domainView { return domainView{d.Name, d.Challenge, d.ProvedAt} }

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	tags := []string{"entry"}
	needs := web.Needs(tenancy.SetEntry)
	huma.Register(api, huma.Operation{
		OperationID: "get-entry-rules", Method: http.MethodGet, Path: "/v1/entry", Metadata: needs, Tags: tags,
		Summary: "What the tenant demands of everybody who comes in",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[rules], error) {
		r, err := s.rules(ctx, web.ActorFrom(ctx))
		return &web.Answer[rules]{Body: r}, err
	})
	huma.Register(api, huma.Operation{
		OperationID: "set-entry-rules", Method: http.MethodPut, Path: "/v1/entry", Metadata: needs, Tags: tags,
		Summary: "Change it; it holds for open sessions, too",
	}, func(ctx context.Context, in *struct{ Body rules }) (*struct{}, error) {
		return nil, s.setRules(ctx, web.ActorFrom(ctx), in.Body)
	})
	huma.Register(api, huma.Operation{
		OperationID: "get-identity-provider", Method: http.MethodGet, Path: "/v1/entry/provider", Metadata: needs, Tags: tags,
		Summary: "The tenant's identity provider, without its secret",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[providerView], error) {
		v, ok, err := s.view(ctx, web.ActorFrom(ctx))
		if err == nil && !ok {
			err = errNoProvider
		}
		return &web.Answer[providerView]{Body: v}, err
	})
	type providerInput struct {
		Body struct {
			Issuer       string            `json:"issuer" maxLength:"500"`
			ClientID     string            `json:"client_id" maxLength:"500"`
			ClientSecret string            `json:"client_secret,omitempty" maxLength:"500" doc:"empty keeps the one that is there"`
			RoleClaim    string            `json:"role_claim,omitempty" maxLength:"100" doc:"claim of the ID token that says what people may, as groups"`
			RoleMap      map[string]string `json:"role_map,omitempty" doc:"role for each value of the claim: admin, operator, viewer; of several the highest counts"`
			DefaultRole  string            `json:"default_role,omitempty" enum:",admin,operator,viewer" doc:"of who has no such value; empty lets them not in"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "set-identity-provider", Method: http.MethodPut, Path: "/v1/entry/provider", Metadata: needs, Tags: tags,
		Summary: "Let people in by an identity provider (OpenID Connect), which is asked at once whether it is one",
	}, func(ctx context.Context, in *providerInput) (*struct{}, error) {
		b := in.Body
		return nil, s.setProvider(ctx, web.ActorFrom(ctx), providerChange{b.Issuer, b.ClientID, b.ClientSecret, b.RoleClaim, b.RoleMap, b.DefaultRole})
	})
	huma.Register(api, huma.Operation{
		OperationID: "remove-identity-provider", Method: http.MethodDelete, Path: "/v1/entry/provider", Metadata: needs, Tags: tags,
		Summary: "End single sign-on, and the sessions that it began",
	}, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		return nil, s.dropProvider(ctx, web.ActorFrom(ctx))
	})
	s.registerDomains(api)
}

// Name is part of inputs; huma sees exported ones only.
type Name struct {
	Domain string `path:"domain" maxLength:"253" example:"example.org"`
}

func (s *Service) registerDomains(api huma.API) {
	tags := []string{"entry"}
	needs := web.Needs(tenancy.SetEntry)
	huma.Register(api, huma.Operation{
		OperationID: "list-domains", Method: http.MethodGet, Path: "/v1/entry/domains", Metadata: needs, Tags: tags,
		Summary: "Domains of your people's addresses; who has an address of a proved one comes in by single sign-on without an invitation",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[web.List[domainView]], error) {
		all, err := s.domains(ctx, web.ActorFrom(ctx))
		var views []domainView
		for _, d := range all {
			views = append(views, viewOf(d))
		}
		return web.Listed(views, "", err)
	})
	huma.Register(api, huma.Operation{
		OperationID: "add-domain", Method: http.MethodPost, Path: "/v1/entry/domains", Metadata: needs, Tags: tags,
		Summary: "Name a domain, and learn what its DNS must say", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *struct {
		Body struct {
			Domain string `json:"domain" maxLength:"253"`
		}
	}) (*web.Answer[domainView], error) {
		d, err := s.addDomain(ctx, web.ActorFrom(ctx), in.Body.Domain)
		return &web.Answer[domainView]{Body: viewOf(d)}, err
	})
	huma.Register(api, huma.Operation{
		OperationID: "prove-domain", Method: http.MethodPost, Path: "/v1/entry/domains/{domain}/prove", Metadata: needs, Tags: tags,
		Summary: "Look whether the domain's DNS says it",
	}, func(ctx context.Context, in *Name) (*struct{}, error) {
		return nil, s.proveDomain(ctx, web.ActorFrom(ctx), web.Text(in.Domain))
	})
	huma.Register(api, huma.Operation{
		OperationID: "remove-domain", Method: http.MethodDelete, Path: "/v1/entry/domains/{domain}", Metadata: needs, Tags: tags,
		Summary: "Take a domain off the list",
	}, func(ctx context.Context, in *Name) (*struct{}, error) {
		return nil, s.dropDomain(ctx, web.ActorFrom(ctx), web.Text(in.Domain))
	})
}

func (s *Service) view(ctx context.Context, a web.Actor) (v providerView, ok bool, err error) {
	p, err := s.provider(ctx, a.Tenant)
	v = providerView{Callback: s.callback(a.Tenant), Start: s.URL.JoinPath("/sso/" + a.Tenant.String()).String()}
	if errors.Is(err, errNoProvider) {
		return v, false, nil
	} else if err != nil {
		return v, false, err
	}
	v.Issuer, v.ClientID, v.RoleClaim, v.RoleMap, v.DefaultRole = p.Issuer, p.ClientID, p.RoleClaim, p.RoleMap, p.DefaultRole
	return v, true, nil
}
