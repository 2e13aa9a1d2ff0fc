package accounts

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// BySession implements web.Authenticator.
func (s *Service) BySession(ctx context.Context, hash [32]byte) (web.Actor, error) {
	var a account
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		a, err = findSession(ctx, tx, hash, time.Now())
		return err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return web.Actor{}, web.ErrUnknownSession
	case err != nil:
		return web.Actor{}, err
	}
	actor := a.actor()
	actor.Session = hash
	return actor, nil
}

// ByToken implements web.Authenticator. The secret is compared first: who does
// not have it learns nothing of the token, not even that it expired.
func (s *Service) ByToken(ctx context.Context, token tenancy.Token) (web.Actor, error) {
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
		role := weaker(t.Role, tenancy.Role(t.MemberRole))
		switch {
		case subtle.ConstantTimeCompare(hash[:], t.Hash) != 1:
			return web.ErrUnknownToken
		case t.RevokedAt != nil:
			return web.ErrRevokedToken
		case t.ExpiresAt != nil && !now.Before(*t.ExpiresAt):
			return web.ErrExpiredToken
		case t.User == nil || role == "":
			return web.ErrRevokedToken // its person left the tenant
		}
		actor = web.Actor{User: *t.User, Email: t.Email, Tenant: t.Tenant, TenantName: t.TenantName, Role: role, Token: t.ID}
		if t.LastUsedAt == nil || now.Sub(*t.LastUsedAt) > time.Minute {
			return touchToken(ctx, tx, t.ID, now)
		}
		return nil
	})
	return actor, err
}

// weaker is the role that both roles allow; none when either is unknown.
func weaker(a, b tenancy.Role) tenancy.Role {
	switch {
	case a.Allows(b):
		return b
	case b.Allows(a):
		return a
	}
	return ""
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
func (s *Service) startSession(ctx context.Context, a account, from client) (cookie string, err error) {
	cookie, hash := web.NewSession()
	err = s.DB.Global(ctx, func(tx pgx.Tx) error { return insertSession(ctx, tx, hash, a, from, time.Now()) })
	return cookie, err
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
	return s.audit(ctx, a, "session.end", hex.EncodeToString(hash[:8]), nil)
}

// mint makes an API token for a person of a tenant. life 0 is for ever.
func (s *Service) mint(ctx context.Context, by web.Actor, name string, role tenancy.Role, life time.Duration) (apiToken, string, error) {
	token := tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	hash := token.Hash()
	now := time.Now()
	t := apiToken{ID: token.ID, Tenant: by.Tenant, User: &by.User, Name: name, Role: role, CreatedAt: now, Hash: hash[:], Email: by.Email, MemberRole: string(by.Role)}
	if life > 0 {
		end := now.Add(life)
		t.ExpiresAt = &end
	}
	err := s.DB.Global(ctx, func(tx pgx.Tx) error { return insertToken(ctx, tx, t) })
	if err != nil {
		return apiToken{}, "", err
	}
	err = s.audit(ctx, by, "api-token.create", t.ID, map[string]string{"name": name, "role": string(role)})
	return t, token.String(), err
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
		case !admin && t.ID != by.Token && !by.Role.Allows(weaker(t.Role, tenancy.Role(t.MemberRole))):
			return huma.Error403Forbidden("this API token may do more than the one that you use")
		}
		return revokeToken(ctx, tx, id, time.Now())
	})
	if err != nil {
		return err
	}
	return s.audit(ctx, by, "api-token.revoke", id, nil)
}
