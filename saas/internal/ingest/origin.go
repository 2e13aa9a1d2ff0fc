package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/relaychan"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// source says whose stream a request's batch is of: the sender's own, or that of
// another relay of its site, which it forwards. A refusal is told under seal,
// so that who forwards can give the other's records up.
func (s *Service) source(ctx context.Context, r relaychan.Request) (Source, *uplink.Ack, error) {
	from := Source{Tenant: r.Relay.Tenant, Site: r.Relay.Site, Relay: r.Relay.ID}
	if r.Header.Origin.IsZero() || r.Header.Origin == r.Relay.ID {
		return from, nil, nil
	}
	from.Relay, from.Forwarder = r.Header.Origin, r.Relay.ID
	err := s.db.Read(ctx, from.Tenant, func(tx pgx.Tx) error {
		_, err := serving(ctx, tx, from.Site, from.Relay, "")
		return err
	})
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		s.refused.WithLabelValues(refused.Reason.String()).Inc()
		return from, &uplink.Ack{Reason: refused.Reason, Detail: refused.What, Nonce: r.Header.Nonce}, nil
	}
	return from, nil, err
}

// serving reads the realm of a site by one of its relays, which must not be
// revoked; lock is "FOR SHARE OF r" for who relies on it until its transaction
// ends. A relay of another tenant does not exist here.
func serving(ctx context.Context, tx pgx.Tx, site tenancy.SiteID, relay tenancy.RelayID, lock string) (realm string, err error) {
	var at tenancy.SiteID
	var revoked bool
	err = tx.QueryRow(ctx, `
		SELECT s.realm, s.id, r.revoked_at IS NOT NULL FROM assim.relays r JOIN assim.sites s ON s.id = r.site WHERE r.id = $1 `+lock, relay).
		Scan(&realm, &at, &revoked)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", &wire.Error{Reason: wire.NotEnrolled, What: "relay"}
	case err != nil:
		return "", fmt.Errorf("reading relay %s and its site: %w", relay, err)
	case at != site:
		return "", &wire.Error{Reason: wire.WrongSite, What: "relay"}
	case revoked:
		return "", &wire.Error{Reason: wire.Revoked, What: "relay"}
	}
	return realm, nil
}
