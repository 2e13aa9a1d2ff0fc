package accounts

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type tenantView struct {
	ID   tenancy.TenantID `json:"id" format:"uuid"`
	Name string           `json:"name"`
}

type whoamiView struct {
	Email  string       `json:"email"`
	Tenant tenantView   `json:"tenant"`
	Role   tenancy.Role `json:"role"`
}

func whoamiOf(a web.Actor) whoamiView {
	return whoamiView{a.Email, tenantView{a.Tenant, a.TenantName}, a.Role}
}

type enteredView struct {
	whoamiView
	Token     string    `json:"token" doc:"API token, shown this once: send it as \"Authorization: Bearer ...\""`
	ExpiresAt time.Time `json:"expires_at"`
}

type tokenView struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Role       tenancy.Role `json:"role"`
	Email      string       `json:"email" doc:"whose it is"`
	State      string       `json:"state" enum:"valid,expired,revoked"`
	CreatedAt  time.Time    `json:"created_at"`
	ExpiresAt  *time.Time   `json:"expires_at,omitempty"`
	RevokedAt  *time.Time   `json:"revoked_at,omitempty"`
	LastUsedAt *time.Time   `json:"last_used_at,omitempty"`
}

func viewOfToken(t apiToken, now time.Time) tokenView {
	v := tokenView{ID: t.ID, Name: t.Name, Role: t.Role, Email: t.Email, State: "valid", CreatedAt: t.CreatedAt.UTC(),
		ExpiresAt: utc(t.ExpiresAt), RevokedAt: utc(t.RevokedAt), LastUsedAt: utc(t.LastUsedAt)}
	switch {
	case t.RevokedAt != nil || t.MemberRole == "":
		v.State = "revoked"
	case t.ExpiresAt != nil && !now.Before(*t.ExpiresAt):
		v.State = "expired"
	}
	return v
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

type sessionView struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Agent     string    `json:"agent"`
	Address   string    `json:"address"`
	Current   bool      `json:"current"`
}

type memberView struct {
	ID    tenancy.UserID `json:"id" format:"uuid"`
	Email string         `json:"email"`
	Role  tenancy.Role   `json:"role"`
}

// peer is embedded in the input of operations that want to know who asks.
type peer struct{ client client }

func (p *peer) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	p.client = clientOf(r)
	return nil
}

type list[T any] struct {
	Items []T `json:"items" nullable:"false"`
}

type answer[T any] struct{ Body T }

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	s.registerEntry(api)
	s.registerCredentials(api)
}

func (s *Service) registerEntry(api huma.API) {
	type signupInput struct {
		peer
		Body struct {
			Email    string `json:"email" maxLength:"254"`
			Password string `json:"password" doc:"12 to 128 characters" maxLength:"128"`
			Tenant   string `json:"tenant" doc:"name of the new tenant" minLength:"1" maxLength:"100"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "signup", Method: http.MethodPost, Path: "/v1/signup", Metadata: web.Anyone(), Tags: []string{"account"},
		Summary: "Make an account and its tenant, and log in", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *signupInput) (*answer[enteredView], error) {
		a, err := s.signUp(ctx, in.client, in.Body.Email, in.Body.Password, in.Body.Tenant)
		if err != nil {
			return nil, err
		}
		return s.enter(ctx, a, in.client)
	})

	type loginInput struct {
		peer
		Body struct {
			Email    string `json:"email" maxLength:"254"`
			Password string `json:"password" maxLength:"512"`
			Tenant   string `json:"tenant,omitempty" doc:"name of the tenant; default the first of yours" maxLength:"100"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: "/v1/login", Metadata: web.Anyone(), Tags: []string{"account"},
		Summary: "Log in: get an API token for this program",
	}, func(ctx context.Context, in *loginInput) (*answer[enteredView], error) {
		a, err := s.logIn(ctx, in.client, in.Body.Email, in.Body.Password, in.Body.Tenant)
		if err != nil {
			return nil, err
		}
		return s.enter(ctx, a, in.client)
	})

	huma.Register(api, huma.Operation{
		OperationID: "logout", Method: http.MethodPost, Path: "/v1/logout", Metadata: web.Needs(tenancy.Viewer), Tags: []string{"account"},
		Summary: "Revoke the token, or end the session, that makes this request",
	}, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		return nil, s.leave(ctx, web.ActorFrom(ctx))
	})

	huma.Register(api, huma.Operation{
		OperationID: "whoami", Method: http.MethodGet, Path: "/v1/whoami", Metadata: web.Needs(tenancy.Viewer), Tags: []string{"account"},
		Summary: "Who makes this request",
	}, func(ctx context.Context, _ *struct{}) (*answer[whoamiView], error) {
		return &answer[whoamiView]{whoamiOf(web.ActorFrom(ctx))}, nil
	})
}

// enter gives a program its token.
func (s *Service) enter(ctx context.Context, a account, from client) (*answer[enteredView], error) {
	name := "log in"
	if from.agent != "" {
		name = "log in of " + from.agent
	}
	t, text, err := s.mint(ctx, a.actor(), name, a.Role, loginToken)
	if err != nil {
		return nil, err
	}
	return &answer[enteredView]{enteredView{whoamiOf(a.actor()), text, t.ExpiresAt.UTC()}}, nil
}

// leave ends whatever credential the actor came with.
func (s *Service) leave(ctx context.Context, a web.Actor) error {
	if a.Token != "" {
		return s.revoke(ctx, a, a.Token)
	}
	return s.endSession(ctx, a, a.Session[:])
}

func (s *Service) registerCredentials(api huma.API) {
	tags := []string{"account"}
	huma.Register(api, huma.Operation{
		OperationID: "list-api-tokens", Method: http.MethodGet, Path: "/v1/api-tokens", Metadata: web.Needs(tenancy.Viewer), Tags: tags,
		Summary: "Your API tokens; for admins all of the tenant",
	}, func(ctx context.Context, _ *struct{}) (*answer[list[tokenView]], error) {
		views, err := s.tokenViews(ctx, web.ActorFrom(ctx))
		return &answer[list[tokenView]]{list[tokenView]{views}}, err
	})

	type createInput struct {
		Body struct {
			Name      string `json:"name" minLength:"1" maxLength:"100"`
			Role      string `json:"role,omitempty" enum:"owner,admin,operator,viewer" doc:"at most your own; default viewer"`
			ExpiresIn int64  `json:"expires_in,omitempty" doc:"seconds; default never" minimum:"60" maximum:"315360000"`
		}
	}
	type created struct {
		tokenView
		Token string `json:"token" doc:"shown this once"`
	}
	huma.Register(api, huma.Operation{
		OperationID: "create-api-token", Method: http.MethodPost, Path: "/v1/api-tokens", Metadata: web.Needs(tenancy.Viewer), Tags: tags,
		Summary: "Make an API token", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *createInput) (*answer[created], error) {
		t, text, err := s.createToken(ctx, web.ActorFrom(ctx), in.Body.Name, in.Body.Role, time.Duration(in.Body.ExpiresIn)*time.Second)
		if err != nil {
			return nil, err
		}
		return &answer[created]{created{viewOfToken(t, time.Now()), text}}, nil
	})

	huma.Register(api, huma.Operation{
		OperationID: "revoke-api-token", Method: http.MethodDelete, Path: "/v1/api-tokens/{id}", Metadata: web.Needs(tenancy.Viewer), Tags: tags,
		Summary: "Revoke an API token at once",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"32"`
	}) (*struct{}, error) {
		return nil, s.revoke(ctx, web.ActorFrom(ctx), web.Text(in.ID))
	})

	huma.Register(api, huma.Operation{
		OperationID: "list-sessions", Method: http.MethodGet, Path: "/v1/sessions", Metadata: web.Needs(tenancy.Viewer), Tags: tags,
		Summary: "Your sessions in browsers",
	}, func(ctx context.Context, _ *struct{}) (*answer[list[sessionView]], error) {
		views, err := s.sessionViews(ctx, web.ActorFrom(ctx))
		return &answer[list[sessionView]]{list[sessionView]{views}}, err
	})

	huma.Register(api, huma.Operation{
		OperationID: "end-session", Method: http.MethodDelete, Path: "/v1/sessions/{id}", Metadata: web.Needs(tenancy.Viewer), Tags: tags,
		Summary: "End one of your sessions",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"64"`
	}) (*struct{}, error) {
		return nil, s.endSessionByID(ctx, web.ActorFrom(ctx), in.ID)
	})

	huma.Register(api, huma.Operation{
		OperationID: "list-members", Method: http.MethodGet, Path: "/v1/members", Metadata: web.Needs(tenancy.Viewer), Tags: tags,
		Summary: "Who belongs to the tenant, with which role",
	}, func(ctx context.Context, _ *struct{}) (*answer[list[memberView]], error) {
		views, err := s.memberViews(ctx, web.ActorFrom(ctx))
		return &answer[list[memberView]]{list[memberView]{views}}, err
	})
}

// createToken is mint for whom asks for one: the role is at most their own.
func (s *Service) createToken(ctx context.Context, by web.Actor, name, wanted string, life time.Duration) (apiToken, string, error) {
	name, err := plainName("name", name, maxTokenName)
	if err != nil {
		return apiToken{}, "", err
	}
	role := tenancy.Viewer
	if wanted != "" {
		if role, err = tenancy.ParseRole(wanted); err != nil {
			return apiToken{}, "", invalid("role", err.Error())
		}
	}
	if !by.Role.Allows(role) {
		return apiToken{}, "", huma.Error403Forbidden("a token can have at most your own role, " + string(by.Role))
	}
	return s.mint(ctx, by, name, role, life)
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
			return sessionView{hex.EncodeToString(v.Hash), v.Email, v.CreatedAt.UTC(), v.ExpiresAt.UTC(), v.Agent, v.Address,
				string(v.Hash) == string(a.Session[:])}
		})
}

func (s *Service) memberViews(ctx context.Context, a web.Actor) ([]memberView, error) {
	return views(ctx, s, func(tx pgx.Tx) ([]member, error) { return membersOf(ctx, tx, a.Tenant) },
		func(m member) memberView { return memberView{m.User, m.Email, m.Role} })
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
