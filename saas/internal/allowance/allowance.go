// Package allowance says how many enrolments each relay may count by itself.
//
// A token with a limited number of uses is spent at relays, which may be cut
// off from the service; so the service leases them: the leases of a token over
// all relays never exceed its limit, hence neither do the uses, whatever is cut
// off for how long.
//
//	max_uses = sum(granted over relays) + what is still free
//	granted  = used (reported in the relay's stream) + what the relay may still count
//
// A relay that is alone in its site gets all; several get shares, and more when
// theirs is spent. A revoked relay gives back what it did not use.
package allowance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Unlimited is the grant of a token without a limit.
const Unlimited = -1

// Grant leases what relay may count of a token in all, and returns it. The
// caller's transaction is a writer's of the tenant.
func Grant(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, relay tenancy.RelayID, token string) (granted, used int64, err error) {
	var limit *int64
	var site tenancy.SiteID
	// The row's lock makes grants of one token follow each other.
	err = tx.QueryRow(ctx, `SELECT max_uses, site FROM assim.tokens WHERE id = $1 FOR UPDATE`, token).Scan(&limit, &site)
	if err != nil {
		return 0, 0, fmt.Errorf("reading token %s: %w", token, err)
	}
	if limit == nil {
		return Unlimited, 0, nil
	}
	var leased, peers int64
	err = tx.QueryRow(ctx, `
		SELECT coalesce(sum(granted), 0)::bigint, coalesce(sum(granted) FILTER (WHERE relay = $2), 0)::bigint,
			coalesce(sum(used) FILTER (WHERE relay = $2), 0)::bigint,
			(SELECT count(*) FROM assim.relays WHERE site = $3 AND revoked_at IS NULL)
		FROM assim.token_leases WHERE token = $1`, token, relay, site).Scan(&leased, &granted, &used, &peers)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the leases of token %s: %w", token, err)
	}
	more := share(*limit-leased, granted-used, peers)
	if more == 0 {
		return granted, used, nil
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO assim.token_leases (tenant, token, relay, granted) VALUES ($1, $2, $3, $4)
		ON CONFLICT (token, relay) DO UPDATE SET granted = token_leases.granted + EXCLUDED.granted`, tenant, token, relay, more)
	if err != nil {
		return 0, 0, fmt.Errorf("leasing token %s: %w", token, err)
	}
	return granted + more, used, nil
}

// share is how much of what is free goes to a relay that still holds some
// unspent uses and is one of so many.
func share(free, unspent, relays int64) int64 {
	switch {
	case free <= 0:
		return 0
	case relays <= 1:
		return free
	case unspent > 0:
		return 0
	}
	return (free + relays - 1) / relays
}

// Use is one enrolment that a relay counted.
type Use struct {
	Relay tenancy.RelayID
	Token string
	Host  tenancy.HostID
	By    string // its name
	At    time.Time
}

// Count books a use, in the transaction that moves the position of the relay's
// stream. It is idempotent by the host: a relay that was restored from a copy
// tells of a use again, under another position, and a probe that was admitted by
// two relays of its site takes from both leases but is one use. When the relay has
// nothing left, the site's relays are told to ask again: they get more, or hear
// that the token is used up.
// A use of a token that is not the tenant's, or of another site, counts nothing
// and is no error: the relay cannot mend it.
func Count(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, u Use) error {
	var limit *int64
	var site tenancy.SiteID
	err := tx.QueryRow(ctx, `
		WITH fresh AS (
			INSERT INTO assim.token_uses (tenant, token, host, relay)
			SELECT $5, t.id, $6, r.id FROM assim.tokens t JOIN assim.relays r ON r.site = t.site WHERE t.id = $1 AND r.id = $2
			ON CONFLICT DO NOTHING RETURNING token)
		UPDATE assim.tokens t SET last_used_at = greatest(t.last_used_at, least($3, clock_timestamp())), last_used_by = $4,
			uses = t.uses + CASE WHEN EXISTS (SELECT FROM assim.token_uses o WHERE o.tenant = $5 AND o.token = t.id AND o.host = $6) THEN 0 ELSE 1 END
		FROM fresh WHERE t.id = fresh.token
		RETURNING t.max_uses, t.site`, u.Token, u.Relay, u.At, u.By, tenant, u.Host).Scan(&limit, &site)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("counting a use of token %s: %w", u.Token, err)
	}
	if limit != nil {
		_, err := tx.Exec(ctx, `
			WITH mine AS (UPDATE assim.token_leases SET used = used + 1 WHERE token = $1 AND relay = $2 RETURNING granted - used AS unspent)
			UPDATE assim.sites SET orders_revision = orders_revision + 1 WHERE id = $3
				AND (SELECT unspent FROM mine) <= 0`, u.Token, u.Relay, site)
		if err != nil {
			return fmt.Errorf("counting a use of token %s against its lease: %w", u.Token, err)
		}
	}
	return Notify(ctx, tx, tenant)
}

// Release takes back what a revoked relay did not use: its word counts no more.
func Release(ctx context.Context, tx pgx.Tx, relay tenancy.RelayID) error {
	_, err := tx.Exec(ctx, `UPDATE assim.token_leases SET granted = used WHERE relay = $1 AND granted > used`, relay)
	if err != nil {
		return fmt.Errorf("releasing the leases of relay %s: %w", relay, err)
	}
	return nil
}

// Notify tells who follows the tenant's sites that something changed: relays
// that wait for orders, and pages.
func Notify(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) error {
	if _, err := tx.Exec(ctx, `SELECT pg_notify('assim', $1)`, tenant.String()+" sites"); err != nil {
		return fmt.Errorf("announcing a change of sites: %w", err)
	}
	return nil
}
