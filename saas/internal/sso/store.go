package sso

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/tenancy"
)

func findProvider(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) (p provider, err error) {
	err = tx.QueryRow(ctx, `SELECT issuer, client_id, client_secret, role_claim, role_map, default_role FROM assim.identity_providers WHERE tenant = $1`, tenant).
		Scan(&p.Issuer, &p.ClientID, &p.Secret, &p.RoleClaim, &p.RoleMap, &p.DefaultRole)
	return p, err
}

// attempt is a log-in that is at the provider.
type attempt struct {
	Tenant   tenancy.TenantID
	Issuer   string
	State    []byte
	Nonce    string
	Verifier string
	Next     string
}

func insertAttempt(ctx context.Context, tx pgx.Tx, hash []byte, a attempt, now time.Time, life time.Duration) error {
	if _, err := tx.Exec(ctx, `DELETE FROM assim.sso_attempts WHERE expires_at <= $1`, now); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO assim.sso_attempts (hash, tenant, issuer, state, nonce, verifier, next, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		hash, a.Tenant, a.Issuer, a.State, a.Nonce, a.Verifier, a.Next, now, now.Add(life))
	return err
}

// takeAttempt uses an attempt up, whatever comes of it.
func takeAttempt(ctx context.Context, tx pgx.Tx, hash []byte, now time.Time) (attempt, error) {
	rows, err := tx.Query(ctx, `DELETE FROM assim.sso_attempts WHERE hash = $1 AND expires_at > $2 RETURNING tenant, issuer, state, nonce, verifier, next`, hash, now)
	if err != nil {
		return attempt{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[attempt])
}

// domain is one of the tenant's addresses.
type domain struct {
	Name      string
	Challenge string
	ProvedAt  *time.Time
}

func domainsOf(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) ([]domain, error) {
	rows, err := tx.Query(ctx, `SELECT domain, challenge, proved_at FROM assim.domains WHERE tenant = $1 ORDER BY domain`, tenant)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[domain])
}

// tenantOf finds whose provider knows the people of a domain.
func tenantOf(ctx context.Context, tx pgx.Tx, name string) (tenant tenancy.TenantID, ok bool, err error) {
	err = tx.QueryRow(ctx, `SELECT d.tenant FROM assim.domains d JOIN assim.identity_providers p ON p.tenant = d.tenant WHERE d.domain = $1 AND d.proved_at IS NOT NULL`, name).Scan(&tenant)
	if errors.Is(err, pgx.ErrNoRows) {
		return tenant, false, nil
	}
	return tenant, err == nil, err
}

// rules are what a tenant demands.
type rules struct {
	TOTPRequired bool `json:"second_factor_required" doc:"everybody who comes in by password has one"`
	SSORequired  bool `json:"sso_required" doc:"nobody but owners comes in by password"`
}

func rulesOf(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) (r rules, err error) {
	err = tx.QueryRow(ctx, `SELECT totp_required, sso_required FROM assim.entry_rules WHERE tenant = $1`, tenant).Scan(&r.TOTPRequired, &r.SSORequired)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, nil
	}
	return r, err
}

func isTaken(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "23505"
}
