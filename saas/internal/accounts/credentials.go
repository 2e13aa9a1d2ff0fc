package accounts

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// BySession implements web.Authenticator.
func (s *Service) BySession(ctx context.Context, hash [32]byte) (web.Actor, error) {
	var f found
	now := time.Now()
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		if f, err = findSession(ctx, tx, hash, now); err != nil {
			return err
		}
		if f.SeenAt == nil || now.Sub(*f.SeenAt) > time.Minute {
			return touchSession(ctx, tx, hash, now)
		}
		return nil
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return web.Actor{}, web.ErrUnknownSession
	case err != nil:
		return web.Actor{}, err
	case f.mustSSO() && !f.SSO:
		return web.Actor{}, web.ErrUnknownSession // the tenant does not take passwords any more
	}
	actor := f.actor()
	actor.Session, actor.SSO, actor.ProvedAt, actor.Sites = hash, f.SSO, f.ProvedAt, f.Sites
	if f.Ends != nil {
		actor.TenantEnds = *f.Ends
	}
	actor.Owes = f.TOTPRequired && !f.TOTP && !f.SSO // an identity provider asks for its own
	return actor, nil
}

// ByToken implements web.Authenticator. The secret is compared first: who does
// not have it learns nothing of the token, not even that it expired.
func (s *Service) ByToken(ctx context.Context, token tenancy.Token, from string) (web.Actor, error) {
	var actor web.Actor
	now := time.Now()
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		t, err := findToken(ctx, tx, token.ID)
		if errors.Is(err, pgx.ErrNoRows) {
			return web.ErrUnknownToken
		} else if err != nil {
			return err
		}
		hash := token.Hash()
		switch {
		case subtle.ConstantTimeCompare(hash[:], t.Hash) != 1:
			return web.ErrUnknownToken
		case t.RevokedAt != nil:
			return web.ErrRevokedToken
		case t.ExpiresAt != nil && !now.Before(*t.ExpiresAt):
			return web.ErrExpiredToken
		case t.MemberRole == "": // so it is for a token that is nobody's
			return web.ErrRevokedToken // its person left the tenant
		}
		actor = t.actor()
		if t.LastUsedAt == nil || now.Sub(*t.LastUsedAt) > time.Minute {
			return touchToken(ctx, tx, t.ID, from, now)
		}
		return nil
	})
	return actor, err
}

// actor is who a token speaks for: never more than its person may now, in the
// whole tenant or at the token's site.
func (t apiToken) actor() web.Actor {
	a := web.Actor{User: *t.User, Email: t.Email, Tenant: t.Tenant, TenantName: t.TenantName, Token: t.ID, Owes: t.Owes}
	role := tenancy.Role(t.MemberRole)
	if t.Site == nil {
		a.Role, a.Sites = tenancy.Weaker(t.Role, role), map[tenancy.SiteID]tenancy.Role{}
		for site, there := range t.SiteRoles {
			a.Sites[site] = tenancy.Weaker(t.Role, there)
		}
		return a
	}
	if there := t.SiteRoles[*t.Site]; there.Allows(role) {
		role = there
	}
	a.Sites = map[tenancy.SiteID]tenancy.Role{*t.Site: tenancy.Weaker(t.Role, role)}
	return a
}

// rolesUpTo lists the roles that a role allows.
func rolesUpTo(role tenancy.Role) (all []tenancy.Role) {
	for _, r := range []tenancy.Role{tenancy.Viewer, tenancy.Operator, tenancy.Admin, tenancy.Owner} {
		if role.Allows(r) {
			all = append(all, r)
		}
	}
	return all
}

// startSession opens a browser's session and returns its cookie's value.
func (s *Service) startSession(ctx context.Context, a account, from client, sso bool, proved time.Time) (cookie string, err error) {
	cookie, hash := web.NewSession()
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		return insertSession(ctx, tx, storedSession{hash, a, from, sso, proved}, time.Now())
	})
	if err != nil {
		return "", err
	}
	how := "password"
	switch {
	case sso:
		how = "single sign-on"
	case a.TOTP:
		how = "password and second factor"
	}
	return cookie, s.audit(ctx, a.actor(), audit.Entry{Action: "session.start", Object: hex.EncodeToString(hash[:8]), Address: from.address,
		Detail: map[string]string{"how": how, "device": device(from.agent)}})
}

func (s *Service) endSession(ctx context.Context, a web.Actor, hash []byte) error {
	var found bool
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		found, err = deleteSession(ctx, tx, a, hash)
		return err
	})
	switch {
	case err != nil:
		return err
	case !found:
		return huma.Error404NotFound("you have no such session")
	}
	return s.audit(ctx, a, audit.Entry{Action: "session.end", Object: hex.EncodeToString(hash[:8])})
}

// wish is what an API token is to be.
type wish struct {
	name string
	role tenancy.Role
	site *tenancy.SiteID
	life time.Duration // 0: for ever
}

// mint makes an API token for a person of a tenant.
func (s *Service) mint(ctx context.Context, by web.Actor, w wish) (apiToken, string, error) {
	token := tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	hash := token.Hash()
	now := time.Now()
	t := apiToken{ID: token.ID, Tenant: by.Tenant, User: &by.User, Name: w.name, Role: w.role, CreatedAt: now, Hash: hash[:], Email: by.Email, MemberRole: string(by.Role), Site: w.site}
	if w.life > 0 {
		end := now.Add(w.life)
		t.ExpiresAt = &end
	}
	err := s.DB.Global(ctx, func(tx pgx.Tx) error { return insertToken(ctx, tx, t) })
	if isMissing(err) {
		return apiToken{}, "", huma.Error404NotFound("there is no such site")
	} else if err != nil {
		return apiToken{}, "", err
	}
	after := map[string]string{"name": w.name, "role": string(w.role)}
	if w.site != nil {
		after["site"] = w.site.String()
	}
	return t, token.String(), s.audit(ctx, by, audit.Entry{Action: "api-token.create", Object: t.ID, After: after})
}

// revoke ends a token of the actor's, an admin any of the tenant. Whoever holds
// a token of a lesser role (one that reads, in a script) cannot end those that
// may do more.
func (s *Service) revoke(ctx context.Context, by web.Actor, id string) error {
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		t, err := findToken(ctx, tx, id)
		admin := by.Role.Allows(tenancy.Admin)
		switch {
		case err != nil && !errors.Is(err, pgx.ErrNoRows):
			return err
		case err != nil, t.Tenant != by.Tenant, !admin && (t.User == nil || *t.User != by.User):
			return huma.Error404NotFound("there is no such API token")
		case !admin && t.ID != by.Token && !by.Role.Allows(tenancy.Weaker(t.Role, tenancy.Role(t.MemberRole))):
			return huma.Error403Forbidden("this API token may do more than the one that you use")
		}
		return revokeToken(ctx, tx, id, time.Now())
	})
	if err != nil {
		return err
	}
	return s.audit(ctx, by, audit.Entry{Action: "api-token.revoke", Object: id})
}
