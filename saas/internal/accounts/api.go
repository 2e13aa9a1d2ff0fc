package accounts

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type tenantView struct {
	ID   tenancy.TenantID `json:"id" format:"uuid"`
	Name string           `json:"name"`
	Role tenancy.Role     `json:"role,omitempty" doc:"yours"`
}

type whoamiView struct {
	Email  string                          `json:"email"`
	Tenant tenantView                      `json:"tenant"`
	Role   tenancy.Role                    `json:"role" doc:"in the whole tenant; empty for a token of a single site"`
	Sites  map[tenancy.SiteID]tenancy.Role `json:"sites,omitempty" doc:"roles at single sites, by the site's id"`
}

func whoamiOf(a web.Actor) whoamiView {
	return whoamiView{a.Email, tenantView{ID: a.Tenant, Name: a.TenantName}, a.Role, a.Sites}
}

type enteredView struct {
	whoamiView
	Token     string    `json:"token" doc:"API token, shown this once: send it as \"Authorization: Bearer ...\""`
	ExpiresAt time.Time `json:"expires_at"`
}

// signedUpView is either: an account that can be used, or a letter to look for.
type signedUpView struct {
	Pending   string      `json:"pending,omitempty" doc:"what is left to be done, when the address has to be confirmed: then nothing else is here"`
	Email     string      `json:"email,omitempty"`
	Tenant    *tenantView `json:"tenant,omitempty"`
	Role      string      `json:"role,omitempty"`
	Token     string      `json:"token,omitempty" doc:"API token, shown this once"`
	ExpiresAt *time.Time  `json:"expires_at,omitempty"`
}

const lookForLetter = "a letter was sent to the address: follow its link within a day, then log in"

type tokenView struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Role         tenancy.Role    `json:"role" doc:"its scope: viewer reads, operator acts on hosts, admin sets sites, owner all"`
	SiteID       *tenancy.SiteID `json:"site_id,omitempty" format:"uuid" doc:"good for this site only"`
	Email        string          `json:"email" doc:"whose it is"`
	State        string          `json:"state" enum:"valid,expired,revoked"`
	CreatedAt    time.Time       `json:"created_at"`
	ExpiresAt    *time.Time      `json:"expires_at,omitempty"`
	RevokedAt    *time.Time      `json:"revoked_at,omitempty"`
	LastUsedAt   *time.Time      `json:"last_used_at,omitempty"`
	LastUsedFrom string          `json:"last_used_from,omitempty" doc:"address"`
}

func viewOfToken(t apiToken, now time.Time) tokenView {
	v := tokenView{ID: t.ID, Name: t.Name, Role: t.Role, SiteID: t.Site, Email: t.Email, State: "valid", CreatedAt: t.CreatedAt.UTC(),
		ExpiresAt: utc(t.ExpiresAt), RevokedAt: utc(t.RevokedAt), LastUsedAt: utc(t.LastUsedAt), LastUsedFrom: t.From}
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
	ID        string     `json:"id"`
	Email     string     `json:"email"`
	Tenant    string     `json:"tenant" doc:"name of the tenant that it is in"`
	CreatedAt time.Time  `json:"created_at"`
	SeenAt    *time.Time `json:"seen_at,omitempty"`
	ExpiresAt time.Time  `json:"expires_at"`
	Device    string     `json:"device" doc:"what the browser calls itself, in short"`
	Agent     string     `json:"agent"`
	Address   string     `json:"address" doc:"where it began"`
	SSO       bool       `json:"sso" doc:"begun by the tenant's identity provider"`
	Current   bool       `json:"current"`
}

// peer is embedded in the input of operations that want to know who asks.
type peer struct{ client client }

func (p *peer) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	p.client = clientOf(r)
	return nil
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	s.registerEntry(api)
	s.registerLetters(api)
	s.registerCredentials(api)
	s.registerTenants(api)
}

func (s *Service) registerEntry(api huma.API) {
	tags := []string{"account"}
	type signupInput struct {
		peer
		Body struct {
			Email    string `json:"email" maxLength:"254"`
			Password string `json:"password" doc:"12 to 128 characters" maxLength:"128"`
			Tenant   string `json:"tenant" doc:"name of the new tenant" minLength:"1" maxLength:"100"`
		}
	}
	type signupOutput struct {
		Status int
		Body   signedUpView
	}
	huma.Register(api, huma.Operation{
		OperationID: "signup", Method: http.MethodPost, Path: "/v1/signup", Metadata: web.Anyone(), Tags: tags,
		Summary: "Make an account and its tenant, and log in", DefaultStatus: http.StatusCreated,
		Description: "Where the service sends mail, the answer is 202 whether or not the address has an account: a letter follows, whose link ends the sign-up.",
	}, func(ctx context.Context, in *signupInput) (*signupOutput, error) {
		a, mark, err := s.signUp(ctx, in.client, in.Body.Email, in.Body.Password, in.Body.Tenant)
		switch {
		case err != nil:
			return nil, err
		case mark != "":
			return &signupOutput{http.StatusAccepted, signedUpView{Pending: lookForLetter}}, nil
		}
		e, err := s.enter(ctx, a, in.client)
		if err != nil {
			return nil, err
		}
		b := e.Body
		return &signupOutput{http.StatusCreated, signedUpView{Email: b.Email, Tenant: &b.Tenant, Role: string(b.Role), Token: b.Token, ExpiresAt: &b.ExpiresAt}}, nil
	})

	type loginInput struct {
		peer
		Body struct {
			Email    string `json:"email" maxLength:"254"`
			Password string `json:"password" maxLength:"512"`
			Code     string `json:"code,omitempty" doc:"of your authenticator app, or a recovery code; asked for by the problem second_factor_needed" maxLength:"64"`
			Tenant   string `json:"tenant,omitempty" doc:"name of the tenant; default the first of yours" maxLength:"100"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: "/v1/login", Metadata: web.Anyone(), Tags: tags,
		Summary: "Log in: get an API token for this program",
	}, func(ctx context.Context, in *loginInput) (*web.Answer[enteredView], error) {
		a, err := s.logIn(ctx, in.client, in.Body.Email, in.Body.Password, in.Body.Code, in.Body.Tenant)
		if err != nil {
			return nil, err
		}
		return s.enter(ctx, a, in.client)
	})

	huma.Register(api, huma.Operation{
		OperationID: "logout", Method: http.MethodPost, Path: "/v1/logout", Metadata: web.Needs(tenancy.Identify), Tags: tags,
		Summary: "Revoke the token, or end the session, that makes this request",
	}, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		return nil, s.leave(ctx, web.ActorFrom(ctx))
	})

	huma.Register(api, huma.Operation{
		OperationID: "whoami", Method: http.MethodGet, Path: "/v1/whoami", Metadata: web.Needs(tenancy.Identify), Tags: tags,
		Summary: "Who makes this request",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[whoamiView], error) {
		return &web.Answer[whoamiView]{Body: whoamiOf(web.ActorFrom(ctx))}, nil
	})
}

// registerLetters adds what people do with, or for, a letter.
func (s *Service) registerLetters(api huma.API) {
	tags := []string{"account"}
	type addressInput struct {
		peer
		Body struct {
			Email string `json:"email" maxLength:"254"`
		}
	}
	type linkInput struct {
		peer
		Body struct {
			Token    string `json:"token" doc:"of the link" maxLength:"64"`
			Password string `json:"password" maxLength:"128"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "resend-signup", Method: http.MethodPost, Path: "/v1/signup/resend", Metadata: web.Anyone(), Tags: tags,
		Summary: "Send the letter of a sign-up again; the answer does not tell whether there is one", DefaultStatus: http.StatusAccepted,
	}, func(_ context.Context, in *addressInput) (*struct{}, error) {
		return nil, s.resend(in.client, in.Body.Email)
	})
	huma.Register(api, huma.Operation{
		OperationID: "confirm-signup", Method: http.MethodPost, Path: "/v1/signup/confirm", Metadata: web.Anyone(), Tags: tags,
		Summary: "End a sign-up with the token of its letter and the password that was chosen", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *linkInput) (*web.Answer[enteredView], error) {
		a, err := s.confirm(ctx, in.client, in.Body.Token, in.Body.Password)
		if err != nil {
			return nil, err
		}
		return s.enter(ctx, a, in.client)
	})
	huma.Register(api, huma.Operation{
		OperationID: "ask-reset", Method: http.MethodPost, Path: "/v1/reset", Metadata: web.Anyone(), Tags: tags,
		Summary: "Have a link sent that sets a new password; the answer does not tell whether there is an account", DefaultStatus: http.StatusAccepted,
	}, func(_ context.Context, in *addressInput) (*struct{}, error) {
		return nil, s.askReset(in.client, in.Body.Email)
	})
	huma.Register(api, huma.Operation{
		OperationID: "reset", Method: http.MethodPost, Path: "/v1/reset/confirm", Metadata: web.Anyone(), Tags: tags,
		Summary: "Set a new password with the token of the letter; all sessions and API tokens end",
	}, func(ctx context.Context, in *linkInput) (*struct{}, error) {
		return nil, s.reset(ctx, in.client, in.Body.Token, in.Body.Password)
	})
}

// enter gives a program its token.
func (s *Service) enter(ctx context.Context, a account, from client) (*web.Answer[enteredView], error) {
	name := "log in"
	if from.agent != "" {
		name = "log in of " + from.agent
	}
	by := a.actor()
	by.Address = from.address
	t, text, err := s.mint(ctx, by, wish{name: name, role: a.Role, life: loginToken})
	if err != nil {
		return nil, err
	}
	return &web.Answer[enteredView]{Body: enteredView{whoamiOf(by), text, t.ExpiresAt.UTC()}}, nil
}

// leave ends whatever credential the actor came with.
func (s *Service) leave(ctx context.Context, a web.Actor) error {
	if a.Token != "" {
		return s.revoke(ctx, a, a.Token)
	}
	return s.endSession(ctx, a, a.Session[:])
}
