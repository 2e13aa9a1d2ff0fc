package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/tenancy"
)

// user is a person. Known: they have logged in from the address that asks.
type user struct {
	ID           tenancy.UserID
	Email        string
	PasswordHash string
	TOTPSecret   []byte // wrapped; with TOTPAt nil it waits for its first code
	TOTPAt       *time.Time
	TOTPStep     int64
	Known        bool
}

func (u user) hasTOTP() bool { return u.TOTPAt != nil }

const selectUser = `
	SELECT u.id, u.email, u.password_hash, u.totp_secret, u.totp_at, u.totp_step,
		EXISTS (SELECT FROM assim.known_addresses k WHERE k.user_id = u.id AND k.address = $2)
	FROM assim.users u `

func findUserAt(ctx context.Context, tx pgx.Tx, email, address string) (user, error) {
	return oneUser(tx.Query(ctx, selectUser+`WHERE u.email = $1`, email, address))
}

func findUser(ctx context.Context, tx pgx.Tx, email string) (user, error) {
	return findUserAt(ctx, tx, email, "")
}

func findUserByID(ctx context.Context, tx pgx.Tx, id tenancy.UserID, address string) (user, error) {
	return oneUser(tx.Query(ctx, selectUser+`WHERE u.id = $1`, id, address))
}

func oneUser(rows pgx.Rows, err error) (user, error) {
	if err != nil {
		return user{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[user])
}

func insertUser(ctx context.Context, tx pgx.Tx, id tenancy.UserID, email, hash string, verified bool) error {
	_, err := tx.Exec(ctx, `INSERT INTO assim.users (id, email, password_hash, verified_at) VALUES ($1, $2, $3, CASE WHEN $4 THEN now() END)`,
		id, email, hash, verified)
	return err
}

func insertMember(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, id tenancy.UserID, role tenancy.Role) error {
	_, err := tx.Exec(ctx, `INSERT INTO assim.members (tenant, user_id, role) VALUES ($1, $2, $3)`, tenant, id, role)
	return err
}

// isTaken reports that a row with this unique value is there already.
func isTaken(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "23505"
}

// isMissing reports that what a row refers to is not there.
func isMissing(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "23503"
}

func accountsOf(ctx context.Context, tx pgx.Tx, id tenancy.UserID) ([]account, error) {
	rows, err := tx.Query(ctx, `
		SELECT u.id, u.email, t.id, t.name, m.role, u.totp_at IS NOT NULL, coalesce(e.totp_required, false), coalesce(e.sso_required, false)
		FROM assim.members m JOIN assim.users u ON u.id = m.user_id JOIN assim.tenants t ON t.id = m.tenant
		LEFT JOIN assim.entry_rules e ON e.tenant = m.tenant
		WHERE m.user_id = $1 ORDER BY t.name, t.id`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[account])
}

func putRecoveryCodes(ctx context.Context, tx pgx.Tx, id tenancy.UserID, hashes [][]byte) error {
	if _, err := tx.Exec(ctx, `DELETE FROM assim.recovery_codes WHERE user_id = $1`, id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO assim.recovery_codes (user_id, hash) SELECT $1, unnest($2::bytea[])`, id, hashes)
	return err
}

// What a link is for.
const (
	linkReset        = "reset"
	linkAddress      = "address"
	linkSecondFactor = "second factor"
)

// link is a secret that somebody was given, good once.
type link struct {
	Hash      []byte
	Purpose   string
	User      tenancy.UserID
	Email     string
	Detail    []byte // JSON
	ExpiresAt time.Time
}

// maxLinks is how many links for one purpose a person has at a time: the oldest
// go.
const maxLinks = 5

func insertLink(ctx context.Context, tx pgx.Tx, l link, now time.Time) error {
	if l.Detail == nil {
		l.Detail = []byte("{}")
	}
	_, err := tx.Exec(ctx, `
		DELETE FROM assim.links WHERE user_id = $1 AND (expires_at <= $3 OR hash IN (
			SELECT hash FROM assim.links WHERE user_id = $1 AND purpose = $2 ORDER BY created_at DESC OFFSET $4))`, l.User, l.Purpose, now, maxLinks-1)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO assim.links (hash, purpose, user_id, email, detail, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		l.Hash, l.Purpose, l.User, l.Email, l.Detail, now, l.ExpiresAt)
	return err
}

func findLink(ctx context.Context, tx pgx.Tx, hash []byte, purpose string, now time.Time) (link, error) {
	rows, err := tx.Query(ctx, `SELECT hash, purpose, user_id, email, detail, expires_at FROM assim.links WHERE hash = $1 AND purpose = $2 AND expires_at > $3`,
		hash, purpose, now)
	if err != nil {
		return link{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[link])
}

// tryLink is findLink for one that may be tried a few times only; the try counts.
func tryLink(ctx context.Context, tx pgx.Tx, hash []byte, purpose string, most int, now time.Time) (link, error) {
	rows, err := tx.Query(ctx, `
		UPDATE assim.links SET tries = tries + 1 WHERE hash = $1 AND purpose = $2 AND expires_at > $3 AND tries < $4
		RETURNING hash, purpose, user_id, email, detail, expires_at`, hash, purpose, now, most)
	if err != nil {
		return link{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[link])
}

func deleteLink(ctx context.Context, tx pgx.Tx, hash []byte) (found bool, err error) {
	tag, err := tx.Exec(ctx, `DELETE FROM assim.links WHERE hash = $1`, hash)
	return tag.RowsAffected() > 0, err
}
