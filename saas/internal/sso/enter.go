package sso

import (
	"context"
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/quota"
	"assimilation/tenancy"
)

var (
	errNotVerified = huma.Error403Forbidden("your identity provider does not vouch for an e-mail address of yours")
	errStranger    = huma.Error403Forbidden("you were not invited to this tenant, and your address is of no domain that it has proved")
	errUnproved    = huma.Error403Forbidden("there is an account of your address that nobody has proved to be theirs, perhaps somebody else's; set its password anew by a link that the service's operator makes (assim-saas reset-link), then come again")
	errNoRole      = huma.Error403Forbidden("your organisation gives you no role here")
)

// found is who came in.
type found struct {
	user    tenancy.UserID
	email   string
	joined  bool         // as a new member
	before  tenancy.Role // that the provider changed; "" for none
	current tenancy.Role
}

// enter finds, or makes, the member that a provider spoke of.
func enter(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, issuer string, s said) (f found, err error) {
	err = tx.QueryRow(ctx, `SELECT i.user_id, u.email FROM assim.identities i JOIN assim.users u ON u.id = i.user_id WHERE i.tenant = $1 AND i.issuer = $2 AND i.subject = $3`,
		tenant, issuer, s.Subject).Scan(&f.user, &f.email)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		if f, err = introduce(ctx, tx, tenant, s); err != nil {
			return f, err
		}
		if err := quota.Room(ctx, tx, tenant, quota.Identities); err != nil {
			return f, err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO assim.identities (tenant, issuer, subject, user_id) VALUES ($1, $2, $3, $4)`, tenant, issuer, s.Subject, f.user); err != nil {
			return f, err
		}
	case err != nil:
		return f, err
	}
	err = tx.QueryRow(ctx, `SELECT role FROM assim.members WHERE tenant = $1 AND user_id = $2`, tenant, f.user).Scan(&f.current)
	if errors.Is(err, pgx.ErrNoRows) {
		return f, errStranger // was a member once
	} else if err != nil {
		return f, err
	}
	// The provider knows best who is what, but for owners.
	if s.HasRole && f.current != tenancy.Owner && f.current != s.Role {
		if _, err := tx.Exec(ctx, `UPDATE assim.members SET role = $3 WHERE tenant = $1 AND user_id = $2`, tenant, f.user, s.Role); err != nil {
			return f, err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM assim.invitations WHERE tenant = $1 AND inviter = $2`, tenant, f.user); err != nil {
			return f, err
		}
		if !f.joined {
			f.before = f.current
		}
		f.current = s.Role
	}
	return f, nil
}

// introduce finds whom a subject that is new is: a member by their address, or
// somebody new of a domain that is proved to be the tenant's. Where the service sends
// no mail, anybody can sign up with any address: such an account, whose password a
// stranger may know, does not come in by the address alone.
func introduce(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, s said) (f found, err error) {
	_, host, ok := strings.Cut(s.Email, "@")
	if !ok || strings.ContainsFunc(s.Email, func(r rune) bool { return r <= ' ' || r > '~' }) || len(s.Email) > 254 {
		return f, errNotVerified
	}
	f.email = s.Email
	var member, verified, proved bool
	err = tx.QueryRow(ctx, `
		SELECT u.id, EXISTS (SELECT FROM assim.members m WHERE m.tenant = $1 AND m.user_id = u.id), u.verified_at IS NOT NULL FROM assim.users u WHERE u.email = $2`,
		tenant, s.Email).Scan(&f.user, &member, &verified)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return f, err
	}
	if member {
		return f, nil
	}
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM assim.domains WHERE tenant = $1 AND domain = $2 AND proved_at IS NOT NULL)`, tenant, host).Scan(&proved); err != nil {
		return f, err
	}
	switch {
	case !proved:
		return f, errStranger
	case s.Role == "":
		return f, errNoRole
	case !f.user.IsZero() && !verified:
		return f, errUnproved
	}
	if err := quota.Room(ctx, tx, tenant, quota.Members); err != nil {
		return f, err
	}
	if f.user.IsZero() {
		f.user = tenancy.NewID[tenancy.UserID]()
		// No password: the person has none, until a reset gives them one.
		if _, err := tx.Exec(ctx, `INSERT INTO assim.users (id, email, password_hash, verified_at) VALUES ($1, $2, '', now())`, f.user, s.Email); err != nil {
			return f, err
		}
	}
	f.joined = true
	_, err = tx.Exec(ctx, `INSERT INTO assim.members (tenant, user_id, role) VALUES ($1, $2, $3)`, tenant, f.user, s.Role)
	return f, err
}
