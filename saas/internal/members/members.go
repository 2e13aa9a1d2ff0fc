// Package members is about who belongs to a tenant, with which role in the whole
// and at single sites, and how people come to belong: by invitation.
//
// Nobody gives a role above their own, or touches who has one above their own,
// and a tenant always has an owner. What a role may do stands in tenancy's table
// of rights.
package members

import (
	"context"
	"errors"
	"log/slog"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Config is what the feature is made of. All fields are required.
type Config struct {
	DB   *store.DB
	Post *mail.Post
	URL  *url.URL
	Log  *slog.Logger
}

// Service is the feature. Make it with New.
type Service struct {
	Config
	letters *web.Limiter
}

// New makes the service.
func New(c Config) *Service {
	return &Service{Config: c, letters: web.NewLimiter(letterInterval, letterBurst, letterKeys)}
}

var (
	errNoMember  = huma.Error404NotFound("there is no such member")
	errLastOwner = huma.Error409Conflict("this is the last owner: a tenant always has one")
	errAbove     = huma.Error403Forbidden("this needs a role at least as high as the one that is given, taken or touched")
)

// setRole gives a member another role in the whole tenant.
func (s *Service) setRole(ctx context.Context, by web.Actor, id, wanted string) error {
	role, err := tenancy.ParseRole(wanted)
	if err != nil {
		return huma.Error422UnprocessableEntity("role: " + err.Error())
	}
	return s.change(ctx, by, id, func(tx pgx.Tx, m member) (audit.Entry, error) {
		if !by.Role.Allows(role) {
			return audit.Entry{}, errAbove
		}
		_, err := tx.Exec(ctx, `UPDATE assim.members SET role = $3 WHERE tenant = $1 AND user_id = $2`, by.Tenant, m.User, role)
		if err == nil && role != m.Role {
			_, err = tx.Exec(ctx, `DELETE FROM assim.invitations WHERE tenant = $1 AND inviter = $2`, by.Tenant, m.User)
		}
		return audit.Entry{Action: "member.role", Before: map[string]string{"role": string(m.Role)}, After: map[string]string{"role": string(role)}}, err
	})
}

// remove takes a member out, at once: their sessions and API tokens of this
// tenant end, also for a day when they come back, and so do their invitations.
func (s *Service) remove(ctx context.Context, by web.Actor, id string) error {
	return s.change(ctx, by, id, func(tx pgx.Tx, m member) (audit.Entry, error) {
		for _, sql := range []string{
			`DELETE FROM assim.members WHERE tenant = $1 AND user_id = $2`,
			`DELETE FROM assim.sessions WHERE tenant = $1 AND user_id = $2`,
			`DELETE FROM assim.identities WHERE tenant = $1 AND user_id = $2`,
			`UPDATE assim.api_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE tenant = $1 AND user_id = $2`,
		} {
			if _, err := tx.Exec(ctx, sql, by.Tenant, m.User); err != nil {
				return audit.Entry{}, err
			}
		}
		return audit.Entry{Action: "member.remove", Before: map[string]string{"role": string(m.Role)}}, nil
	})
}

// setSiteRole gives a member a role at one site; "" takes it away.
func (s *Service) setSiteRole(ctx context.Context, by web.Actor, id, site, wanted string) error {
	at, err := tenancy.ParseID[tenancy.SiteID](site)
	if err != nil {
		return huma.Error404NotFound("there is no such site")
	}
	var role tenancy.Role
	if wanted != "" {
		if role, err = tenancy.ParseSiteRole(wanted); err != nil {
			return huma.Error422UnprocessableEntity("role: " + err.Error())
		}
	}
	return s.change(ctx, by, id, func(tx pgx.Tx, m member) (audit.Entry, error) {
		e := audit.Entry{Action: "member.site-role", Detail: map[string]string{"site": site},
			Before: map[string]string{"role": string(m.Sites[at])}, After: map[string]string{"role": wanted}}
		if role == "" {
			_, err := tx.Exec(ctx, `DELETE FROM assim.site_members WHERE tenant = $1 AND user_id = $2 AND site = $3`, by.Tenant, m.User, at)
			return e, err
		}
		if err := quota.Room(ctx, tx, by.Tenant, quota.SiteRoles); m.Sites[at] == "" && err != nil {
			return e, err
		}
		_, err := tx.Exec(ctx, `INSERT INTO assim.site_members (tenant, user_id, site, role) VALUES ($1, $2, $3, $4)
			ON CONFLICT (user_id, tenant, site) DO UPDATE SET role = EXCLUDED.role`, by.Tenant, m.User, at, role)
		if isMissing(err) {
			return e, huma.Error404NotFound("there is no such site")
		}
		return e, err
	})
}

// change does something to a member whom the actor may touch, and looks that an
// owner is left.
func (s *Service) change(ctx context.Context, by web.Actor, id string, do func(pgx.Tx, member) (audit.Entry, error)) error {
	user, err := tenancy.ParseID[tenancy.UserID](id)
	if err != nil {
		return errNoMember
	}
	var e audit.Entry
	var m member
	err = s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		if err := lock(ctx, tx, by.Tenant); err != nil {
			return err
		}
		if m, err = find(ctx, tx, by.Tenant, user); errors.Is(err, pgx.ErrNoRows) {
			return errNoMember
		} else if err != nil {
			return err
		}
		if !by.Role.Allows(m.Role) {
			return errAbove
		}
		if e, err = do(tx, m); err != nil {
			return err
		}
		owners := 0
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM assim.members WHERE tenant = $1 AND role = 'owner'`, by.Tenant).Scan(&owners); err != nil {
			return err
		}
		if owners == 0 {
			return errLastOwner
		}
		_, err = tx.Exec(ctx, `NOTIFY `+web.Channel+`, '`+by.Tenant.String()+` `+string(web.People)+`'`)
		return err
	})
	if err != nil {
		return err
	}
	e.Object = user.String()
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	e.Detail["email"] = m.Email
	return s.audit(ctx, by, e)
}

// rename gives the tenant another name.
func (s *Service) rename(ctx context.Context, by web.Actor, name string) error {
	name, err := plainName(name)
	if err != nil {
		return err
	}
	return s.DB.In(ctx, by.Tenant, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT assim.rename_tenant($1)`, name); err != nil {
			return err
		}
		return audit.Write(ctx, tx, by.Tenant, audit.Entry{Actor: by.Name(), Action: "tenant.rename", Object: by.Tenant.String(),
			Before: map[string]string{"name": by.TenantName}, After: map[string]string{"name": name}})
	})
}

// audit writes an entry about people, whose tables are not the tenant's: after
// the change, in a transaction of its own.
func (s *Service) audit(ctx context.Context, by web.Actor, e audit.Entry) error {
	e.Actor, e.User, e.Address = by.Name(), by.User, by.Address
	return s.DB.In(ctx, by.Tenant, func(tx pgx.Tx) error { return audit.Write(ctx, tx, by.Tenant, e) })
}
