package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type user struct {
	ID           tenancy.UserID
	PasswordHash string
}

func findUser(ctx context.Context, tx pgx.Tx, email string) (user, error) {
	rows, err := tx.Query(ctx, `SELECT id, password_hash FROM assim.users WHERE email = $1`, email)
	if err != nil {
		return user{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[user])
}

// insertOwner adds a new user and makes them their tenant's owner.
func insertOwner(ctx context.Context, tx pgx.Tx, a account, hash string) error {
	if _, err := tx.Exec(ctx, `INSERT INTO assim.users (id, email, password_hash) VALUES ($1, $2, $3)`, a.User, a.Email, hash); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO assim.members (tenant, user_id, role) VALUES ($1, $2, $3)`, a.Tenant, a.User, a.Role)
	return err
}

// isTaken reports that a row with this unique value is there already.
func isTaken(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "23505"
}

func accountsOf(ctx context.Context, tx pgx.Tx, id tenancy.UserID) ([]account, error) {
	rows, err := tx.Query(ctx, `
		SELECT u.id, u.email, t.id, t.name, m.role
		FROM assim.members m JOIN assim.users u ON u.id = m.user_id JOIN assim.tenants t ON t.id = m.tenant
		WHERE m.user_id = $1 ORDER BY t.name, t.id`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[account])
}

func insertSession(ctx context.Context, tx pgx.Tx, hash [32]byte, a account, from client, now time.Time) error {
	// Nobody else removes what has expired, and it belongs to this user.
	if _, err := tx.Exec(ctx, `DELETE FROM assim.sessions WHERE user_id = $1 AND expires_at <= $2`, a.User, now); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO assim.sessions (hash, user_id, tenant, created_at, expires_at, agent, address) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		hash[:], a.User, a.Tenant, now, now.Add(sessionLife), from.agent, from.address)
	return err
}

// findSession finds whose session it is; membership is looked at anew, so that
// a member who was removed is out at once.
func findSession(ctx context.Context, tx pgx.Tx, hash [32]byte, now time.Time) (account, error) {
	rows, err := tx.Query(ctx, `
		SELECT u.id, u.email, t.id, t.name, m.role
		FROM assim.sessions s JOIN assim.users u ON u.id = s.user_id JOIN assim.tenants t ON t.id = s.tenant
		JOIN assim.members m ON m.user_id = s.user_id AND m.tenant = s.tenant
		WHERE s.hash = $1 AND s.expires_at > $2`, hash[:], now)
	if err != nil {
		return account{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[account])
}

type session struct {
	Hash      []byte
	Email     string
	CreatedAt time.Time
	ExpiresAt time.Time
	Agent     string
	Address   string
}

// sessionsOf lists the live sessions of a user in a tenant.
func sessionsOf(ctx context.Context, tx pgx.Tx, a web.Actor, now time.Time) ([]session, error) {
	rows, err := tx.Query(ctx, `
		SELECT s.hash, u.email, s.created_at, s.expires_at, s.agent, s.address
		FROM assim.sessions s JOIN assim.users u ON u.id = s.user_id
		WHERE s.tenant = $1 AND s.user_id = $2 AND s.expires_at > $3 ORDER BY s.created_at DESC LIMIT 1000`, a.Tenant, a.User, now)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[session])
}

// deleteSession ends a session of the actor's. A session may do what its person
// may, so a token of a lesser role does not end it.
func deleteSession(ctx context.Context, tx pgx.Tx, a web.Actor, hash []byte) (found bool, err error) {
	tag, err := tx.Exec(ctx, `
		DELETE FROM assim.sessions s USING assim.members m
		WHERE s.hash = $1 AND s.tenant = $2 AND s.user_id = $3 AND m.tenant = s.tenant AND m.user_id = s.user_id AND m.role = ANY ($4)`,
		hash, a.Tenant, a.User, rolesUpTo(a.Role))
	return tag.RowsAffected() > 0, err
}

// apiToken is a stored API token, with the role its person has now.
type apiToken struct {
	ID         string
	Tenant     tenancy.TenantID
	User       *tenancy.UserID
	Name       string
	Role       tenancy.Role
	CreatedAt  time.Time
	ExpiresAt  *time.Time
	RevokedAt  *time.Time
	LastUsedAt *time.Time
	Email      string
	Hash       []byte
	TenantName string
	MemberRole string // "" when the person is no member any more
}

const selectTokens = `
	SELECT k.id, k.tenant, k.user_id, k.name, k.role, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
		coalesce(u.email, ''), k.hash, t.name, coalesce(m.role, '')
	FROM assim.api_tokens k JOIN assim.tenants t ON t.id = k.tenant
	LEFT JOIN assim.users u ON u.id = k.user_id
	LEFT JOIN assim.members m ON m.user_id = k.user_id AND m.tenant = k.tenant `

func findToken(ctx context.Context, tx pgx.Tx, id string) (apiToken, error) {
	rows, err := tx.Query(ctx, selectTokens+`WHERE k.id = $1`, id)
	if err != nil {
		return apiToken{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[apiToken])
}

// tokensOf lists the tokens that the actor may see: an admin all, others their
// own.
func tokensOf(ctx context.Context, tx pgx.Tx, a web.Actor) ([]apiToken, error) {
	rows, err := tx.Query(ctx, selectTokens+`
		WHERE k.tenant = $1 AND ($2 OR k.user_id = $3) AND (k.revoked_at IS NULL OR k.revoked_at > now() - interval '90 days')
		ORDER BY k.created_at DESC, k.id LIMIT 1000`, a.Tenant, a.Role.Allows(tenancy.Admin), a.User)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[apiToken])
}

func insertToken(ctx context.Context, tx pgx.Tx, t apiToken) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.ID, t.Tenant, t.User, t.Name, t.Hash, t.Role, t.CreatedAt, t.ExpiresAt)
	return err
}

// revokeToken ends a token. Doing it again keeps the first time.
func revokeToken(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE assim.api_tokens SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1`, id, now)
	return err
}

// touchToken notes a use, at most once a minute: a program that asks all day
// must not write all day.
func touchToken(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE assim.api_tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '1 minute')`, id, now)
	return err
}

type member struct {
	User  tenancy.UserID
	Email string
	Role  tenancy.Role
}

func membersOf(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) ([]member, error) {
	rows, err := tx.Query(ctx, `
		SELECT u.id, u.email, m.role FROM assim.members m JOIN assim.users u ON u.id = m.user_id
		WHERE m.tenant = $1 ORDER BY u.email LIMIT 1000`, tenant)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[member])
}
