package members

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/tenancy"
)

// member is a person of the tenant.
type member struct {
	User  tenancy.UserID
	Email string
	Role  tenancy.Role
	Sites map[tenancy.SiteID]tenancy.Role
	TOTP  bool
	SSO   bool
	Seen  *time.Time
}

const selectMembers = `
	SELECT u.id, u.email, m.role,
		coalesce((SELECT jsonb_object_agg(r.site, r.role) FROM assim.site_members r WHERE r.tenant = m.tenant AND r.user_id = m.user_id), '{}'),
		u.totp_at IS NOT NULL,
		EXISTS (SELECT FROM assim.identities i WHERE i.tenant = m.tenant AND i.user_id = m.user_id),
		greatest((SELECT max(coalesce(s.seen_at, s.created_at)) FROM assim.sessions s WHERE s.tenant = m.tenant AND s.user_id = m.user_id),
			(SELECT max(k.last_used_at) FROM assim.api_tokens k WHERE k.tenant = m.tenant AND k.user_id = m.user_id))
	FROM assim.members m JOIN assim.users u ON u.id = m.user_id WHERE m.tenant = $1 `

func scan(row pgx.CollectableRow) (m member, err error) {
	err = row.Scan(&m.User, &m.Email, &m.Role, &m.Sites, &m.TOTP, &m.SSO, &m.Seen)
	return m, err
}

// list reads a page of the members, by address.
func list(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, after string, limit int) ([]member, error) {
	rows, err := tx.Query(ctx, selectMembers+`AND u.email > $2 ORDER BY u.email LIMIT $3`, tenant, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func find(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, user tenancy.UserID) (member, error) {
	rows, err := tx.Query(ctx, selectMembers+`AND m.user_id = $2`, tenant, user)
	if err != nil {
		return member{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scan)
}

// lock makes changes of one tenant's members one after the other: two who each
// see another owner must not both go. Global has no right to lock the tenant's
// row, so it is the owners' that are locked.
func lock(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) error {
	_, err := tx.Exec(ctx, `SELECT FROM assim.members WHERE tenant = $1 AND role = 'owner' ORDER BY user_id FOR UPDATE`, tenant)
	return err
}

// isMissing reports that what a row refers to is not there.
func isMissing(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "23503"
}

// plainName checks a tenant's name, and trims it.
func plainName(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || utf8.RuneCountInString(s) > 100 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", huma.Error422UnprocessableEntity("a name has 1 to 100 characters, none of them control characters")
	}
	return s, nil
}
