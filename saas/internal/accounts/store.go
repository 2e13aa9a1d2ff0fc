package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// storedSession is a session that begins.
type storedSession struct {
	hash     [32]byte
	account  account
	from     client
	sso      bool
	provedAt time.Time
}

func insertSession(ctx context.Context, tx pgx.Tx, v storedSession, now time.Time) error {
	// Nobody else removes what has expired, and it belongs to this user.
	_, err := tx.Exec(ctx, `DELETE FROM assim.sessions WHERE user_id = $1 AND (expires_at <= $2 OR hash IN (
		SELECT hash FROM assim.sessions WHERE user_id = $1 ORDER BY coalesce(seen_at, created_at) DESC OFFSET $3))`, v.account.User, now, maxSessions-1)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO assim.sessions (hash, user_id, tenant, created_at, expires_at, agent, address, sso, proved_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		v.hash[:], v.account.User, v.account.Tenant, now, now.Add(sessionLife), v.from.agent, v.from.address, v.sso, v.provedAt)
	return err
}

// found is a session that was looked up.
type found struct {
	account
	SSO      bool
	ProvedAt time.Time
	SeenAt   *time.Time
	Sites    map[tenancy.SiteID]tenancy.Role
	Ends     *time.Time // when the tenant is to be deleted
}

// siteRoles are the roles at single sites of the member m, as a JSON object.
const siteRoles = `coalesce((SELECT jsonb_object_agg(r.site, r.role) FROM assim.site_members r WHERE r.tenant = m.tenant AND r.user_id = m.user_id), '{}')`

// findSession finds whose session it is; membership, and what the tenant demands,
// are looked at anew, so that a member who was removed is out at once.
func findSession(ctx context.Context, tx pgx.Tx, hash [32]byte, now time.Time) (found, error) {
	rows, err := tx.Query(ctx, `
		SELECT u.id, u.email, t.id, t.name, m.role, u.totp_at IS NOT NULL, coalesce(e.totp_required, false), coalesce(e.sso_required, false),
			s.sso, s.proved_at, s.seen_at, `+siteRoles+`, d.due_at
		FROM assim.sessions s JOIN assim.users u ON u.id = s.user_id JOIN assim.tenants t ON t.id = s.tenant
		JOIN assim.members m ON m.user_id = s.user_id AND m.tenant = s.tenant
		LEFT JOIN assim.entry_rules e ON e.tenant = s.tenant LEFT JOIN assim.deletions d ON d.tenant = s.tenant
		WHERE s.hash = $1 AND s.expires_at > $2`, hash[:], now)
	if err != nil {
		return found{}, err
	}
	return pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (f found, err error) {
		err = row.Scan(&f.User, &f.Email, &f.Tenant, &f.TenantName, &f.Role, &f.TOTP, &f.TOTPRequired, &f.SSORequired, &f.SSO, &f.ProvedAt, &f.SeenAt, &f.Sites, &f.Ends)
		return f, err
	})
}

// touchSession notes a use, at most once a minute.
func touchSession(ctx context.Context, tx pgx.Tx, hash [32]byte, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE assim.sessions SET seen_at = $2 WHERE hash = $1`, hash[:], now)
	return err
}

type session struct {
	Hash       []byte
	Email      string
	TenantName string
	CreatedAt  time.Time
	SeenAt     *time.Time
	ExpiresAt  time.Time
	Agent      string
	Address    string
	SSO        bool
}

// ofActor are the sessions s that an actor may see and end: all of the person's
// for who gave a password; for a token, and for single sign-on, which are good for
// one tenant, those in that tenant. $1 is the tenant, $2 the person, $3 whether all.
const ofActor = `s.user_id = $2 AND ($3 OR s.tenant = $1)`

func seesAll(a web.Actor) bool { return a.Token == "" && !a.SSO }

// sessionsOf lists the live sessions of a person.
func sessionsOf(ctx context.Context, tx pgx.Tx, a web.Actor, now time.Time) ([]session, error) {
	rows, err := tx.Query(ctx, `
		SELECT s.hash, u.email, t.name, s.created_at, s.seen_at, s.expires_at, s.agent, s.address, s.sso
		FROM assim.sessions s JOIN assim.users u ON u.id = s.user_id JOIN assim.tenants t ON t.id = s.tenant
		WHERE `+ofActor+` AND s.expires_at > $4 ORDER BY s.created_at DESC LIMIT 1000`, a.Tenant, a.User, seesAll(a), now)
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
		WHERE s.hash = $4 AND `+ofActor+` AND m.tenant = s.tenant AND m.user_id = s.user_id AND ($3 OR m.role = ANY ($5))`,
		a.Tenant, a.User, seesAll(a), hash, rolesUpTo(a.Role))
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	return true, notifyLeft(ctx, tx, a.Tenant)
}

// endSessions ends all sessions of a person but one.
func endSessions(ctx context.Context, tx pgx.Tx, id tenancy.UserID, but []byte) error {
	rows, err := tx.Query(ctx, `
		DELETE FROM assim.sessions WHERE user_id = $1 AND hash IS DISTINCT FROM $2 RETURNING tenant`, id, but)
	if err != nil {
		return err
	}
	tenants, err := pgx.CollectRows(rows, pgx.RowTo[tenancy.TenantID])
	for _, tenant := range tenants {
		if err == nil {
			err = notifyLeft(ctx, tx, tenant)
		}
	}
	return err
}

// notifyLeft makes the live streams of a tenant look whether they may go on. The
// function pg_notify is not for this login; the statement takes no parameters, and
// an id has none but harmless characters.
func notifyLeft(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) error {
	_, err := tx.Exec(ctx, `NOTIFY `+web.Channel+`, '`+tenant.String()+` `+string(web.People)+`'`)
	return err
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
	MemberRole string          // "" when the person is no member any more
	Site       *tenancy.SiteID // good for this site only
	From       string          // where it was used last
	SiteRoles  map[tenancy.SiteID]tenancy.Role
	Owes       bool // the tenant wants a second factor that the person does not have
}

const selectTokens = `
	SELECT k.id, k.tenant, k.user_id, k.name, k.role, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
		coalesce(u.email, ''), k.hash, t.name, coalesce(m.role, ''), k.site, k.last_used_from, ` + siteRoles + `,
		coalesce(e.totp_required, false) AND u.totp_at IS NULL AND NOT EXISTS (SELECT FROM assim.identities i WHERE i.tenant = k.tenant AND i.user_id = k.user_id)
	FROM assim.api_tokens k JOIN assim.tenants t ON t.id = k.tenant
	LEFT JOIN assim.users u ON u.id = k.user_id
	LEFT JOIN assim.members m ON m.user_id = k.user_id AND m.tenant = k.tenant
	LEFT JOIN assim.entry_rules e ON e.tenant = k.tenant `

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
		WHERE k.tenant = $1 AND ($2 OR k.user_id = $3) AND (k.revoked_at IS NULL OR k.revoked_at > now() - make_interval(secs => $4))
		ORDER BY k.created_at DESC, k.id LIMIT 1000`, a.Tenant, a.Role.Allows(tenancy.Admin), a.User, endedFor.Seconds())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[apiToken])
}

// Bounds of what is kept of credentials that are over, or many: the oldest go.
const (
	maxSessions    = 100 // of one person
	maxEndedTokens = 500 // of one tenant
	endedFor       = 90 * 24 * time.Hour
)

func insertToken(ctx context.Context, tx pgx.Tx, t apiToken) error {
	if err := quota.Room(ctx, tx, t.Tenant, quota.APITokens); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		DELETE FROM assim.api_tokens WHERE tenant = $1 AND least(revoked_at, expires_at) <= now() AND (least(revoked_at, expires_at) < $2 OR id IN (
			SELECT id FROM assim.api_tokens WHERE tenant = $1 AND least(revoked_at, expires_at) <= now() ORDER BY least(revoked_at, expires_at) DESC, id OFFSET $3))`,
		t.Tenant, t.CreatedAt.Add(-endedFor), maxEndedTokens)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role, created_at, expires_at, site) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		t.ID, t.Tenant, t.User, t.Name, t.Hash, t.Role, t.CreatedAt, t.ExpiresAt, t.Site)
	return err
}

// revokeToken ends a token. Doing it again keeps the first time.
func revokeToken(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	var tenant tenancy.TenantID
	if err := tx.QueryRow(ctx, `UPDATE assim.api_tokens SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1 RETURNING tenant`, id, now).Scan(&tenant); err != nil {
		return err
	}
	return notifyLeft(ctx, tx, tenant)
}

// touchToken notes a use, at most once a minute: a program that asks all day
// must not write all day.
func touchToken(ctx context.Context, tx pgx.Tx, id, from string, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE assim.api_tokens SET last_used_at = $2, last_used_from = $3
		WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '1 minute')`, id, now, from)
	return err
}
