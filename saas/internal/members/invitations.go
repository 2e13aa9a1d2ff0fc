package members

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	netmail "net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Limits of invitations, and of the letters that one tenant sends: to strangers,
// with a name in it that the tenant chose.
const (
	invitationLife = 7 * 24 * time.Hour
	letterInterval = 2 * time.Minute
	letterBurst    = 30
	letterKeys     = 10_000
)

// invitation is one that waits to be taken.
type invitation struct {
	ID        uuid.UUID
	Email     string
	Role      tenancy.Role
	InvitedBy string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// invite asks somebody to join. The link goes to the address; where the service
// sends no mail, it is answered, for the one who invites to hand on. An address
// has one invitation: a new one takes the old one's place. It ends when who made it
// is a member no more, or has another role.
func (s *Service) invite(ctx context.Context, by web.Actor, email, wanted string) (i invitation, link string, err error) {
	role, err := tenancy.ParseRole(wanted)
	if err != nil {
		return i, "", huma.Error422UnprocessableEntity("role: " + err.Error())
	}
	if email, err = normalEmail(email); err != nil {
		return i, "", err
	}
	if !by.Role.Allows(role) {
		return i, "", errAbove
	}
	if !s.letters.Allow(by.Tenant.String(), time.Now()) {
		return i, "", huma.Error429TooManyRequests("your tenant invites too many people at once; wait a few minutes")
	}
	secret, hash := newSecret()
	now := time.Now().UTC()
	i = invitation{uuid.New(), email, role, by.Name(), now, now.Add(invitationLife)}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, by.Tenant); err != nil {
			return err
		}
		var isMember bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM assim.members m JOIN assim.users u ON u.id = m.user_id WHERE m.tenant = $1 AND u.email = $2)`,
			by.Tenant, email).Scan(&isMember); err != nil {
			return err
		}
		if isMember {
			return huma.Error409Conflict("this address is a member's already")
		}
		if _, err := tx.Exec(ctx, `DELETE FROM assim.invitations WHERE tenant = $1 AND (email = $2 OR expires_at <= $3)`, by.Tenant, email, now); err != nil {
			return err
		}
		if err := quota.Room(ctx, tx, by.Tenant, quota.Invitations); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO assim.invitations (id, tenant, hash, email, role, invited_by, created_at, expires_at, inviter) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			i.ID, by.Tenant, hash, i.Email, i.Role, i.InvitedBy, i.CreatedAt, i.ExpiresAt, by.User)
		return err
	})
	if err != nil {
		return i, "", err
	}
	u := s.URL.JoinPath("/invitation")
	u.RawQuery = url.Values{"token": {secret}}.Encode()
	s.Post.Put(mail.Letter{To: email, Subject: "You are invited to " + by.TenantName, Text: by.Email + " invites you to " + by.TenantName +
		" at Assimilation, as " + string(role) + ".\n\nFollow this link within a week:\n\n" + u.String() + "\n\nIf you do not know them, do nothing.\n"})
	if !s.Post.Reaches() {
		link = u.String()
	}
	return i, link, s.audit(ctx, by, audit.Entry{Action: "member.invite", Object: i.ID.String(), After: map[string]string{"role": string(role)},
		Detail: map[string]string{"email": email}})
}

// revoke ends an invitation.
func (s *Service) revoke(ctx context.Context, by web.Actor, id string) error {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return huma.Error404NotFound("there is no such invitation")
	}
	var email string
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		var role tenancy.Role
		err := tx.QueryRow(ctx, `DELETE FROM assim.invitations WHERE tenant = $1 AND id = $2 RETURNING email, role`, by.Tenant, parsed).Scan(&email, &role)
		if errors.Is(err, pgx.ErrNoRows) {
			return huma.Error404NotFound("there is no such invitation")
		}
		if err == nil && !by.Role.Allows(role) {
			return errAbove
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.audit(ctx, by, audit.Entry{Action: "member.uninvite", Object: id, Detail: map[string]string{"email": email}})
}

func invitations(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) ([]invitation, error) {
	rows, err := tx.Query(ctx, `SELECT id, email, role, invited_by, created_at, expires_at FROM assim.invitations WHERE tenant = $1 AND expires_at > now() ORDER BY created_at DESC`, tenant)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[invitation])
}

// Invited implements accounts.Joining.
func (s *Service) Invited(ctx context.Context, secret string) (i tenancy.Invitation, ok bool, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			SELECT i.email, t.id, t.name, i.role FROM assim.invitations i JOIN assim.tenants t ON t.id = i.tenant
			WHERE i.hash = $1 AND i.expires_at > now()`, secretHash(secret)).Scan(&i.Email, &i.Tenant, &i.TenantName, &i.Role)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return i, false, nil
	}
	return i, err == nil, err
}

// Join implements accounts.Joining. The address must be the one that was invited:
// a link that went astray lets nobody in.
func (s *Service) Join(ctx context.Context, tx pgx.Tx, secret string, user tenancy.UserID, email string) (bool, error) {
	var tenant tenancy.TenantID
	var role tenancy.Role
	err := tx.QueryRow(ctx, `SELECT tenant FROM assim.invitations WHERE hash = $1 AND email = $2`, secretHash(secret), email).Scan(&tenant)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	// Before the invitation is touched: invite waits in this order, too.
	if err := quota.Room(ctx, tx, tenant, quota.Members); err != nil {
		return false, err
	}
	err = tx.QueryRow(ctx, `DELETE FROM assim.invitations WHERE hash = $1 AND email = $2 AND expires_at > now() RETURNING tenant, role`, secretHash(secret), email).
		Scan(&tenant, &role)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO assim.members (tenant, user_id, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, tenant, user, role)
	return true, err
}

// accept makes who is signed in a member of the tenant that invited them.
func (s *Service) accept(ctx context.Context, by web.Actor, secret string) (tenancy.TenantID, error) {
	i, ok, err := s.Invited(ctx, secret)
	if err != nil {
		return i.Tenant, err
	}
	if ok {
		err = s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
			ok, err = s.Join(ctx, tx, secret, by.User, by.Email)
			return err
		})
	}
	switch {
	case err != nil:
		return i.Tenant, err
	case !ok:
		return i.Tenant, huma.Error404NotFound("this invitation is not valid, or too old, or of another address than yours")
	}
	there := web.Actor{User: by.User, Email: by.Email, Tenant: i.Tenant, Address: by.Address}
	return i.Tenant, s.audit(ctx, there, audit.Entry{Action: "member.join", Object: by.User.String(), After: map[string]string{"role": string(i.Role)}})
}

// newSecret makes what stands in a link, and what is stored of it.
func newSecret() (text string, hash []byte) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails since Go 1.24
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(raw), sum[:]
}

func secretHash(text string) []byte {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 32 {
		return nil
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

// normalEmail is the spelling under which accounts store addresses.
func normalEmail(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || len(s) > 254 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
		return "", huma.Error422UnprocessableEntity("email: is not an e-mail address")
	}
	return s, nil
}
