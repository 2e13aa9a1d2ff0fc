package accounts

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

func (s *Service) registerCredentials(api huma.API) {
	tags := []string{"account"}
	huma.Register(api, huma.Operation{
		OperationID: "list-api-tokens", Method: http.MethodGet, Path: "/v1/api-tokens", Metadata: web.Needs(tenancy.Own), Tags: tags,
		Summary: "Your API tokens; for admins all of the tenant",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[web.List[tokenView]], error) {
		views, err := s.tokenViews(ctx, web.ActorFrom(ctx))
		return web.Listed(views, "", err)
	})

	type createInput struct {
		Body struct {
			Name      string `json:"name" minLength:"1" maxLength:"100"`
			Role      string `json:"role,omitempty" enum:"owner,admin,operator,viewer" doc:"at most your own; default viewer"`
			SiteID    string `json:"site_id,omitempty" format:"uuid" doc:"makes it good for this site only: what names the site, or its hosts, relays and tokens, in the path"`
			ExpiresIn int64  `json:"expires_in,omitempty" doc:"seconds; default never" minimum:"60" maximum:"315360000"`
		}
	}
	type created struct {
		tokenView
		Token string `json:"token" doc:"shown this once"`
	}
	huma.Register(api, huma.Operation{
		OperationID: "create-api-token", Method: http.MethodPost, Path: "/v1/api-tokens", Metadata: web.Needs(tenancy.OwnTokens), Tags: tags,
		Summary: "Make an API token", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *createInput) (*web.Answer[created], error) {
		t, text, err := s.createToken(ctx, web.ActorFrom(ctx), in.Body.Name, in.Body.Role, in.Body.SiteID, time.Duration(in.Body.ExpiresIn)*time.Second)
		if err != nil {
			return nil, err
		}
		return &web.Answer[created]{Body: created{viewOfToken(t, time.Now()), text}}, nil
	})

	huma.Register(api, huma.Operation{
		OperationID: "revoke-api-token", Method: http.MethodDelete, Path: "/v1/api-tokens/{id}", Metadata: web.Needs(tenancy.Own), Tags: tags,
		Summary: "Revoke an API token at once",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"36"`
	}) (*struct{}, error) {
		return nil, s.revoke(ctx, web.ActorFrom(ctx), web.Text(in.ID))
	})

	huma.Register(api, huma.Operation{
		OperationID: "list-sessions", Method: http.MethodGet, Path: "/v1/sessions", Metadata: web.Needs(tenancy.Own), Tags: tags,
		Summary: "Your sessions in browsers",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[web.List[sessionView]], error) {
		views, err := s.sessionViews(ctx, web.ActorFrom(ctx))
		return web.Listed(views, "", err)
	})

	huma.Register(api, huma.Operation{
		OperationID: "end-session", Method: http.MethodDelete, Path: "/v1/sessions/{id}", Metadata: web.Needs(tenancy.Own), Tags: tags,
		Summary: "End one of your sessions at once",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"64"`
	}) (*struct{}, error) {
		return nil, s.endSessionByID(ctx, web.ActorFrom(ctx), in.ID)
	})
}

// createToken is mint for whom asks for one: the role is at most their own, in
// the whole tenant or at the site.
func (s *Service) createToken(ctx context.Context, by web.Actor, name, wanted, site string, life time.Duration) (apiToken, string, error) {
	name, err := plainName("name", name, maxTokenName)
	if err != nil {
		return apiToken{}, "", err
	}
	w := wish{name: name, role: tenancy.Viewer, life: life}
	if wanted != "" {
		if w.role, err = tenancy.ParseRole(wanted); err != nil {
			return apiToken{}, "", invalid("role", err.Error())
		}
	}
	own := by.Role
	if site != "" {
		id, err := tenancy.ParseID[tenancy.SiteID](site)
		if err != nil {
			return apiToken{}, "", invalid("site_id", "is not a site's id")
		}
		w.site = &id
		if there := by.Sites[id]; there.Allows(own) {
			own = there
		}
	}
	if !own.Allows(w.role) {
		return apiToken{}, "", huma.Error403Forbidden("a token can have at most your own role, " + string(own))
	}
	return s.mint(ctx, by, w)
}

func (s *Service) endSessionByID(ctx context.Context, a web.Actor, id string) error {
	hash, err := hex.DecodeString(id)
	if err != nil || len(hash) != 32 {
		return huma.Error404NotFound("you have no such session")
	}
	return s.endSession(ctx, a, hash)
}

func (s *Service) tokenViews(ctx context.Context, a web.Actor) ([]tokenView, error) {
	return views(ctx, s, func(tx pgx.Tx) ([]apiToken, error) { return tokensOf(ctx, tx, a) },
		func(t apiToken) tokenView { return viewOfToken(t, time.Now()) })
}

func (s *Service) sessionViews(ctx context.Context, a web.Actor) ([]sessionView, error) {
	return views(ctx, s, func(tx pgx.Tx) ([]session, error) { return sessionsOf(ctx, tx, a, time.Now()) },
		func(v session) sessionView {
			return sessionView{hex.EncodeToString(v.Hash), v.Email, v.TenantName, v.CreatedAt.UTC(), utc(v.SeenAt), v.ExpiresAt.UTC(), device(v.Agent), v.Agent, v.Address, v.SSO,
				string(v.Hash) == string(a.Session[:])}
		})
}

// views reads rows and makes of each what is shown.
func views[Row, View any](ctx context.Context, s *Service, read func(pgx.Tx) ([]Row, error), view func(Row) View) ([]View, error) {
	var rows []Row
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		rows, err = read(tx)
		return err
	})
	shown := make([]View, len(rows))
	for i, r := range rows {
		shown[i] = view(r)
	}
	return shown, err
}
