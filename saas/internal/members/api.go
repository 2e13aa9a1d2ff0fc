package members

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type memberView struct {
	ID           tenancy.UserID                  `json:"id" format:"uuid"`
	Email        string                          `json:"email"`
	Role         tenancy.Role                    `json:"role" doc:"in the whole tenant"`
	Sites        map[tenancy.SiteID]tenancy.Role `json:"sites,omitempty" doc:"higher roles at single sites, by the site's id"`
	SecondFactor bool                            `json:"second_factor"`
	SSO          bool                            `json:"sso" doc:"has come in by the tenant's identity provider"`
	SeenAt       *time.Time                      `json:"seen_at,omitempty"`
}

func viewOf(m member) memberView {
	return memberView{m.User, m.Email, m.Role, m.Sites, m.TOTP, m.SSO, m.Seen}
}

type invitationView struct {
	ID        uuid.UUID    `json:"id" format:"uuid"`
	Email     string       `json:"email"`
	Role      tenancy.Role `json:"role"`
	InvitedBy string       `json:"invited_by"`
	CreatedAt time.Time    `json:"created_at"`
	ExpiresAt time.Time    `json:"expires_at"`
	Link      string       `json:"link,omitempty" doc:"only in the answer of who invites, and only where the service sends no mail"`
}

func viewOfInvitation(i invitation) invitationView {
	return invitationView{i.ID, i.Email, i.Role, i.InvitedBy, i.CreatedAt.UTC(), i.ExpiresAt.UTC(), ""}
}

// ID is part of inputs; huma sees exported ones only.
type ID struct {
	ID string `path:"id" maxLength:"36"`
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	tags := []string{"members"}
	huma.Register(api, huma.Operation{
		OperationID: "list-members", Method: http.MethodGet, Path: "/v1/members", Metadata: web.Needs(tenancy.ReadMembers), Tags: tags,
		Summary: "Who belongs to the tenant, with which role, by address",
	}, func(ctx context.Context, in *struct {
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
		Cursor string `query:"cursor" maxLength:"254" doc:"next_cursor of the page before"`
	}) (*web.Answer[web.List[memberView]], error) {
		if in.Cursor != "" && !isAddress(in.Cursor) {
			return nil, web.BadCursor()
		}
		items, next, err := s.members(ctx, web.ActorFrom(ctx), in.Cursor, in.Limit)
		return web.Listed(items, next, err)
	})
	type roleInput struct {
		ID
		Body struct {
			Role string `json:"role" enum:"owner,admin,operator,viewer"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "set-member-role", Method: http.MethodPut, Path: "/v1/members/{id}", Metadata: web.Needs(tenancy.ManageMembers), Tags: tags,
		Summary: "Give a member another role, at most your own",
	}, func(ctx context.Context, in *roleInput) (*struct{}, error) {
		return nil, s.setRole(ctx, web.ActorFrom(ctx), in.ID.ID, in.Body.Role)
	})
	huma.Register(api, huma.Operation{
		OperationID: "remove-member", Method: http.MethodDelete, Path: "/v1/members/{id}", Metadata: web.Needs(tenancy.ManageMembers), Tags: tags,
		Summary: "Take a member out at once: their sessions and API tokens of the tenant end",
	}, func(ctx context.Context, in *ID) (*struct{}, error) {
		return nil, s.remove(ctx, web.ActorFrom(ctx), in.ID)
	})
	type siteInput struct {
		ID
		Site string `path:"site_id" maxLength:"36"`
		Body struct {
			Role string `json:"role" enum:"admin,operator,none" doc:"none takes it away"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "set-site-role", Method: http.MethodPut, Path: "/v1/members/{id}/sites/{site_id}", Metadata: web.Needs(tenancy.ManageMembers), Tags: tags,
		Summary: "Give a member a role at a single site",
	}, func(ctx context.Context, in *siteInput) (*struct{}, error) {
		return nil, s.setSiteRole(ctx, web.ActorFrom(ctx), in.ID.ID, in.Site, none(in.Body.Role))
	})
	s.registerInvitations(api)
}

// none is the role that "none" stands for.
func none(role string) string {
	if role == "none" {
		return ""
	}
	return role
}

func (s *Service) registerInvitations(api huma.API) {
	tags := []string{"members"}
	huma.Register(api, huma.Operation{
		OperationID: "list-invitations", Method: http.MethodGet, Path: "/v1/invitations", Metadata: web.Needs(tenancy.ManageMembers), Tags: tags,
		Summary: "Invitations that wait to be taken, newest first",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[web.List[invitationView]], error) {
		items, err := s.invitations(ctx, web.ActorFrom(ctx))
		return web.Listed(items, "", err)
	})
	type inviteInput struct {
		Body struct {
			Email string `json:"email" maxLength:"254"`
			Role  string `json:"role" enum:"owner,admin,operator,viewer" doc:"at most your own"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "invite", Method: http.MethodPost, Path: "/v1/invitations", Metadata: web.Needs(tenancy.ManageMembers), Tags: tags,
		Summary: "Invite somebody by mail; the link is good for a week", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *inviteInput) (*web.Answer[invitationView], error) {
		i, link, err := s.invite(ctx, web.ActorFrom(ctx), in.Body.Email, in.Body.Role)
		if err != nil {
			return nil, err
		}
		v := viewOfInvitation(i)
		v.Link = link
		return &web.Answer[invitationView]{Body: v}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "revoke-invitation", Method: http.MethodDelete, Path: "/v1/invitations/{id}", Metadata: web.Needs(tenancy.ManageMembers), Tags: tags,
		Summary: "Revoke an invitation at once",
	}, func(ctx context.Context, in *ID) (*struct{}, error) {
		return nil, s.revoke(ctx, web.ActorFrom(ctx), in.ID)
	})
	type nameInput struct {
		Body struct {
			Name string `json:"name" minLength:"1" maxLength:"100"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "rename-tenant", Method: http.MethodPatch, Path: "/v1/tenant", Metadata: web.Needs(tenancy.SetTenant), Tags: tags,
		Summary: "Give the tenant another name",
	}, func(ctx context.Context, in *nameInput) (*struct{}, error) {
		return nil, s.rename(ctx, web.ActorFrom(ctx), in.Body.Name)
	})
}

// isAddress tells the address of one who is a member, or was, from anything else.
func isAddress(text string) bool {
	return strings.Contains(text, "@") && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (s *Service) members(ctx context.Context, a web.Actor, after string, limit int) (views []memberView, next string, err error) {
	var rows []member
	err = s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		rows, err = list(ctx, tx, a.Tenant, after, limit+1)
		return err
	})
	for i, m := range rows {
		if i == limit {
			next = rows[i-1].Email
			break
		}
		views = append(views, viewOf(m))
	}
	return views, next, err
}

func (s *Service) invitations(ctx context.Context, a web.Actor) (views []invitationView, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		rows, err := invitations(ctx, tx, a.Tenant)
		for _, i := range rows {
			views = append(views, viewOfInvitation(i))
		}
		return err
	})
	return views, err
}
