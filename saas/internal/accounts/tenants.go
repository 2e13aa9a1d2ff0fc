package accounts

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

func (s *Service) registerTenants(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-tenants", Method: http.MethodGet, Path: "/v1/tenants", Metadata: web.Needs(tenancy.Own), Tags: []string{"account"},
		Summary: "The tenants that you belong to; with a token, or after single sign-on, the one that it is good for",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[web.List[tenantView]], error) {
		all, err := s.tenantsOf(ctx, web.ActorFrom(ctx))
		return web.Listed(all, "", err)
	})
}

// tenantsOf lists where an actor may go.
func (s *Service) tenantsOf(ctx context.Context, a web.Actor) ([]tenantView, error) {
	all, err := s.accountsOf(ctx, a.User)
	if err != nil {
		return nil, err
	}
	var views []tenantView
	for _, at := range all {
		if seesAll(a) || at.Tenant == a.Tenant {
			views = append(views, tenantView{at.Tenant, at.TenantName, at.Role})
		}
	}
	return views, nil
}

// switchTo moves a browser to another tenant of its person. The session is a new
// one, and as fresh as the old: what holds the old cookie is out.
func (s *Service) switchTo(ctx context.Context, from client, a web.Actor, to string) (cookie string, err error) {
	all, err := s.accountsOf(ctx, a.User)
	if err != nil {
		return "", err
	}
	for _, at := range all {
		switch {
		case at.Tenant.String() != to:
		case at.mustSSO():
			return "", errNeedSSO
		default:
			cookie, hash := web.NewSession()
			err := s.DB.Global(ctx, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `DELETE FROM assim.sessions WHERE hash = $1`, a.Session[:]); err != nil {
					return err
				}
				if err := insertSession(ctx, tx, storedSession{hash, at, from, false, a.ProvedAt}, time.Now()); err != nil {
					return err
				}
				return notifyLeft(ctx, tx, a.Tenant)
			})
			return cookie, err
		}
	}
	return "", huma.Error404NotFound("you do not belong to this tenant")
}

// maxOwned is how many tenants one person may own: each takes room in the
// database before anything is in it.
const maxOwned = 10

// addTenant makes another tenant, which the person owns.
func (s *Service) addTenant(ctx context.Context, from client, a web.Actor, name string) (tenancy.TenantID, error) {
	name, err := plainName("tenant", name, maxTenantName)
	if err != nil {
		return tenancy.TenantID{}, err
	}
	if !s.signups.Allow(from.key, time.Now()) {
		return tenancy.TenantID{}, errTooMany
	}
	all, err := s.accountsOf(ctx, a.User)
	if err != nil {
		return tenancy.TenantID{}, err
	}
	owned := 0
	for _, at := range all {
		if at.Role == tenancy.Owner {
			owned++
		}
	}
	if owned >= maxOwned {
		return tenancy.TenantID{}, huma.Error409Conflict("you own ten tenants already")
	}
	id := tenancy.NewID[tenancy.TenantID]()
	if err := s.provision(ctx, id, name); err != nil {
		return id, err
	}
	if err := s.DB.Global(ctx, func(tx pgx.Tx) error { return insertMember(ctx, tx, id, a.User, tenancy.Owner) }); err != nil {
		return id, err
	}
	by := web.Actor{User: a.User, Email: a.Email, Tenant: id, Address: a.Address}
	return id, s.audit(ctx, by, audit.Entry{Action: "tenant.create", Object: id.String(), Detail: map[string]string{"name": name}})
}
