package sites

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/wire"
)

// RelayState is what a relay's last sign of life says of it now.
type RelayState string

// The states.
const (
	Online  RelayState = "online"
	Silent  RelayState = "silent"
	Waiting RelayState = "waiting" // enrolled, but has not asked for orders yet
	Revoked RelayState = "revoked"
)

// silentAfter is three times the longest wait for orders.
const silentAfter = 3 * maxWait

// Relay is a relay of a site.
type Relay struct {
	ID           tenancy.RelayID `json:"id" format:"uuid"`
	Name         string          `json:"name"`
	State        RelayState      `json:"state" enum:"online,silent,waiting,revoked"`
	Version      string          `json:"version" doc:"of its program"`
	Token        string          `json:"token" doc:"id of the token it enrolled with"`
	Installs     string          `json:"installs,omitempty" doc:"where hosts of the site get what installs a probe, host:port"`
	Backlog      int64           `json:"backlog" doc:"records it has not delivered yet"`
	CreatedAt    time.Time       `json:"created_at"`
	SeenAt       *time.Time      `json:"seen_at,omitempty" doc:"its last sign of life"`
	RevokedAt    *time.Time      `json:"revoked_at,omitempty"`
	CertifiedTil time.Time       `json:"certified_until" doc:"end of its certificate, which is renewed in time"`
}

// Relays lists a site's relays, oldest first, and the cursor of the next page.
func (s *Service) Relays(ctx context.Context, tenant tenancy.TenantID, siteRef string, page Page) (relays []Relay, next string, err error) {
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		site, err := find(ctx, tx, siteRef)
		if err != nil {
			return err
		}
		if err := given(ctx, tx, page.Cursor, `SELECT FROM assim.relays WHERE id::text = $1 AND site = $2`, site.ID); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT r.id, r.name, r.version, r.token, r.installs, r.backlog, r.created_at, r.seen_at, r.revoked_at, r.certificate
			FROM assim.relays r
			WHERE r.site = $1 AND ($2 = '' OR (r.created_at, r.id) > (SELECT c.created_at, c.id FROM assim.relays c WHERE c.id::text = $2))
			ORDER BY r.created_at, r.id LIMIT $3`, site.ID, page.Cursor, page.Limit+1)
		if err == nil {
			now := time.Now()
			relays, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Relay, error) { return scanRelay(row, now) })
		}
		if err != nil {
			return fmt.Errorf("listing relays: %w", err)
		}
		return nil
	})
	relays, next = cut(relays, page.Limit, func(r Relay) string { return r.ID.String() })
	return relays, next, err
}

func scanRelay(row pgx.CollectableRow, now time.Time) (Relay, error) { return scanRelayWith(row, now) }

// scanRelayWith reads a row that has more columns behind a relay's.
func scanRelayWith(row pgx.CollectableRow, now time.Time, more ...any) (Relay, error) {
	var r Relay
	var encoded []byte
	err := row.Scan(append([]any{&r.ID, &r.Name, &r.Version, &r.Token, &r.Installs, &r.Backlog, &r.CreatedAt, &r.SeenAt, &r.RevokedAt, &encoded}, more...)...)
	if err != nil {
		return Relay{}, err
	}
	certificate, err := wire.ParseCertificate(encoded)
	if err != nil {
		return Relay{}, fmt.Errorf("stored certificate of relay %s: %w", r.ID, err)
	}
	r.CertifiedTil = time.Unix(certificate.NotAfter, 0).UTC()
	r.CreatedAt, r.SeenAt, r.RevokedAt = r.CreatedAt.UTC(), utc(r.SeenAt), utc(r.RevokedAt)
	r.State = relayState(r, now)
	return r, nil
}

func relayState(r Relay, now time.Time) RelayState {
	switch {
	case r.RevokedAt != nil:
		return Revoked
	case r.SeenAt == nil:
		return Waiting
	case now.Sub(*r.SeenAt) > silentAfter:
		return Silent
	}
	return Online
}

// RevokeRelay ends a relay's rights at once: nothing it sends is taken any
// more, and it is told when it asks next.
func (s *Service) RevokeRelay(ctx context.Context, actor web.Actor, ref string) error {
	id, err := tenancy.ParseID[tenancy.RelayID](ref)
	if err != nil {
		return huma.Error404NotFound("no such relay")
	}
	return s.DB.In(ctx, actor.Tenant, func(tx pgx.Tx) error {
		var site tenancy.SiteID
		var name string
		var before *time.Time
		err := tx.QueryRow(ctx, `SELECT site, name, revoked_at FROM assim.relays WHERE id = $1 FOR UPDATE`, id).Scan(&site, &name, &before)
		switch {
		case err != nil:
			return notFound(err, "relay")
		case before != nil:
			return nil
		}
		if _, err := tx.Exec(ctx, `UPDATE assim.relays SET revoked_at = now() WHERE id = $1`, id); err != nil {
			return fmt.Errorf("revoking relay %s: %w", id, err)
		}
		if err := allowance.Release(ctx, tx, id); err != nil {
			return err
		}
		if err := record(ctx, tx, actor, "relay.revoke", id.String(), map[string]string{"name": name}); err != nil {
			return err
		}
		return ordersChanged(ctx, tx, actor.Tenant, site)
	})
}
