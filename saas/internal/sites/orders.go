package sites

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
)

const (
	// maxWait is the longest long poll: below the 30 s after which common
	// proxies end a silent request.
	maxWait = 25 * time.Second
	// pollEvery is how often a waiting request looks when it cannot be woken.
	pollEvery = 2 * time.Second
	// A token that ended is told to relays for this long, so that its refusal can
	// say why.
	endedTokens = 90 * 24 * time.Hour
)

// Orders answers a relay's request for orders, at once when there are newer
// ones than it has, else when there are, or it has waited long enough.
func (s *Service) Orders(ctx context.Context, r relaychan.Request) ([]byte, error) {
	request, err := uplink.DecodeOrdersRequest(r.Payload)
	if err != nil {
		return nil, err
	}
	if !r.Relay.Revoked {
		if err := s.seen(ctx, r, request); err != nil {
			return nil, err
		}
	}
	orders, err := s.await(ctx, r.Relay, request)
	if err != nil {
		return nil, err
	}
	if orders.Programs, err = s.newPrograms(request); err != nil {
		return nil, err
	}
	orders.Nonce, orders.Time = request.Nonce, time.Now().UnixMilli()
	payload, err := orders.Encode()
	if err != nil {
		return nil, fmt.Errorf("encoding orders for relay %s: %v", r.Relay.ID, err) // not %w: the fault is ours, not the request's
	}
	return payload, nil
}

// seen notes the relay's sign of life. A request that is not newer than the
// last is a replay and changes nothing; but a relay whose clock once ran ahead
// of ours must not stay silent until that time comes.
func (s *Service) seen(ctx context.Context, r relaychan.Request, request uplink.OrdersRequest) error {
	return s.DB.In(ctx, r.Relay.Tenant, func(tx pgx.Tx) error {
		now := time.Now()
		var news, moved bool
		err := tx.QueryRow(ctx, `
			WITH before AS (SELECT seen_at, version, cluster, serves, installs, key_sequence FROM assim.relays WHERE id = $1)
			UPDATE assim.relays r SET seen_at = $2, sent_at = $3, version = $4, backlog = $5, cluster = $8, serves = $9, installs = $10, install_key = $11, pending = $12, sealed_to = $13, key_sequence = $14
			FROM before WHERE id = $1 AND (r.sent_at < $3 OR r.sent_at > $6)
			RETURNING before.key_sequence <> $14 OR before.seen_at IS NULL OR before.seen_at < $7 OR before.version <> $4 OR before.installs <> $10,
				before.cluster <> $8 OR before.serves <> $9`,
			r.Relay.ID, now, r.Header.SentAt, request.Version, request.Backlog, now.Add(maxSkew).UnixMilli(), now.Add(-silentAfter),
			request.Cluster, request.Serves, request.Installs, request.InstallKey, pendingRows(request.Pending), r.Relay.SealedTo, int64(request.SiteKeys)).Scan(&news, &moved)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err != nil:
			return fmt.Errorf("noting the sign of life of relay %s: %w", r.Relay.ID, err)
		case moved: // what the site's other relays know of it changed
			return ordersChanged(ctx, tx, r.Relay.Tenant, r.Relay.Site)
		case news: // what pages show changed
			return allowance.Notify(ctx, tx, r.Relay.Tenant)
		}
		return nil
	})
}

// await returns orders as soon as the relay does not have them.
func (s *Service) await(ctx context.Context, relay relaychan.Relay, request uplink.OrdersRequest) (uplink.Orders, error) {
	wait := min(time.Duration(request.Wait)*time.Millisecond, maxWait)
	end, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	// Before the first look, so that no change falls between.
	changes, err := s.Hub.Subscribe(relay.Tenant)
	if err == nil {
		defer changes.Close()
	} else if !errors.Is(err, web.ErrTooManySubscriptions) && !errors.Is(err, web.ErrHubClosed) {
		return uplink.Orders{}, err
	}
	for {
		now, err := s.standing(ctx, relay)
		switch {
		case err != nil:
			return uplink.Orders{}, err
		case now.revoked:
			return uplink.Orders{SiteName: relay.SiteName, Revoked: true}, nil
		case now.revision != request.Revision || mustRenew(now.certificate, time.Now()) || now.next != nil && mustRenew(now.next, time.Now()):
			return s.snapshot(ctx, relay)
		}
		questions, err := s.Questions(ctx, relay)
		switch {
		case err != nil:
			return uplink.Orders{}, err
		case len(questions) > 0:
			return uplink.Orders{Revision: request.Revision, NotModified: true, Questions: questions}, nil
		}
		if programs, err := s.newPrograms(request); err != nil || len(programs) > 0 {
			return uplink.Orders{Revision: request.Revision, NotModified: true}, err
		}
		if !nextChange(end, changes) {
			return uplink.Orders{Revision: request.Revision, NotModified: true}, ctx.Err()
		}
	}
}

// newPrograms lists what the relay may hand out, where that is not what it knows.
func (s *Service) newPrograms(request uplink.OrdersRequest) ([]uplink.Program, error) {
	if request.Programs == nil {
		return nil, nil
	}
	programs, err := s.Programs()
	if err != nil {
		return nil, err
	}
	if uplink.ProgramsHash(programs) == [uplink.HashSize]byte(request.Programs) {
		return nil, nil
	}
	return programs, nil
}

// nextChange waits until it is worth looking again; false says that the time
// is over or the service stops. Notices of other topics come with every batch,
// so they wake nobody here.
func nextChange(ctx context.Context, changes *web.Subscription) bool {
	if changes == nil {
		select {
		case <-time.After(pollEvery):
			return true
		case <-ctx.Done():
			return false
		}
	}
	for {
		topics, err := changes.Next(ctx)
		if err != nil {
			return false
		}
		if slices.Contains(topics, web.Sites) || slices.Contains(topics, web.Resync) {
			return true
		}
	}
}

// standing is what decides whether a relay has news.
type standing struct {
	revision    uint64
	revoked     bool
	certificate []byte
	next        []byte // the certificate by the site's next key; nil: none
}

func (s *Service) standing(ctx context.Context, relay relaychan.Relay) (now standing, err error) {
	err = s.DB.Read(ctx, relay.Tenant, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			SELECT s.orders_revision, r.revoked_at IS NOT NULL, r.certificate, r.next_certificate
			FROM assim.relays r JOIN assim.sites s ON s.id = r.site WHERE r.id = $1`, relay.ID).
			Scan(&now.revision, &now.revoked, &now.certificate, &now.next)
		if err != nil {
			return fmt.Errorf("reading the orders revision for relay %s: %w", relay.ID, err)
		}
		return nil
	})
	return now, err
}

// snapshot is all that the service wants of a relay. The revision is read
// first: what changes meanwhile is sent twice rather than missed.
func (s *Service) snapshot(ctx context.Context, relay relaychan.Relay) (orders uplink.Orders, err error) {
	orders.SiteName = relay.SiteName
	err = s.DB.In(ctx, relay.Tenant, func(tx pgx.Tx) error {
		word, err := s.word(ctx, tx, relay.Site)
		if err != nil {
			return err
		}
		orders.SiteKeys = word.statement()
		if err := s.renew(ctx, tx, relay, word); err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `
			SELECT s.orders_revision, r.certificate, r.next_certificate, CASE WHEN substring(t.seal_key_hash FROM 1 FOR 8) <> $2 THEN t.seal_key END
			FROM assim.relays r JOIN assim.sites s ON s.id = r.site JOIN assim.tenants t ON t.id = r.tenant WHERE r.id = $1`, relay.ID, relay.SealedTo).
			Scan(&orders.Revision, &orders.Certificate, &orders.NextCertificate, &orders.TenantKey)
		if err != nil {
			return fmt.Errorf("reading the certificate of relay %s: %w", relay.ID, err)
		}
		orders.SiteSecret = relay.SiteSecret()
		if orders.Policy, err = policyOrder(ctx, tx, relay); err != nil {
			return err
		}
		if orders.Relays, err = relayOrders(ctx, tx, relay.Site); err != nil {
			return err
		}
		if orders.Retired, err = retired(ctx, tx, relay.Site); err != nil {
			return err
		}
		if orders.Revocation, orders.NextRevocation, err = revocation(ctx, tx, relay.Site, word, time.Now()); err != nil {
			return err
		}
		orders.Tokens, err = tokenOrders(ctx, tx, relay, time.Now())
		return err
	})
	return orders, err
}

// renew makes certificates anew when their end is near, and raises the revision:
// should this answer get lost, the relay asks with an older one.
func (s *Service) renew(ctx context.Context, tx pgx.Tx, relay relaychan.Relay, word siteWord) error {
	var certificate, next, noiseKey []byte
	err := tx.QueryRow(ctx, `SELECT certificate, next_certificate, noise_key FROM assim.relays WHERE id = $1 FOR UPDATE`, relay.ID).
		Scan(&certificate, &next, &noiseKey)
	if err != nil {
		return fmt.Errorf("reading the certificate of relay %s: %w", relay.ID, err)
	}
	now := time.Now()
	if !mustRenew(certificate, now) && (word.next == nil || !mustRenew(next, now)) {
		return nil
	}
	certificate, next = word.certify(relay.Site, relay.ID, [32]byte(noiseKey), now)
	if _, err := tx.Exec(ctx, `UPDATE assim.relays SET certificate = $2, next_certificate = $3 WHERE id = $1`, relay.ID, certificate, next); err != nil {
		return fmt.Errorf("storing the certificate of relay %s: %w", relay.ID, err)
	}
	s.Log.Info("relay's certificate renewed", "relay", relay.ID)
	return ordersChanged(ctx, tx, relay.Tenant, relay.Site)
}

// relayOrders lists the relays of a site that are not revoked, the oldest first.
func relayOrders(ctx context.Context, tx pgx.Tx, site tenancy.SiteID) ([]uplink.RelayOrder, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, name, sign_key, certificate, cluster, serves, next_certificate FROM assim.relays
		WHERE site = $1 AND revoked_at IS NULL ORDER BY created_at, id LIMIT $2`, site, uplink.MaxRelays)
	if err != nil {
		return nil, fmt.Errorf("listing the site's relays: %w", err)
	}
	relays, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r uplink.RelayOrder, err error) {
		return r, row.Scan(&r.ID, &r.Name, &r.SignKey, &r.Certificate, &r.Cluster, &r.Serves, &r.NextCertificate)
	})
	if err != nil {
		return nil, fmt.Errorf("listing the site's relays: %w", err)
	}
	return relays, nil
}

func retired(ctx context.Context, tx pgx.Tx, site tenancy.SiteID) ([]tenancy.HostID, error) {
	rows, err := tx.Query(ctx, `
		SELECT id FROM assim.hosts WHERE site = $1 AND retired_at IS NOT NULL ORDER BY retired_at DESC LIMIT $2`, site, uplink.MaxRetired)
	if err != nil {
		return nil, fmt.Errorf("listing retired hosts: %w", err)
	}
	hosts, err := pgx.CollectRows(rows, pgx.RowTo[tenancy.HostID])
	if err != nil {
		return nil, fmt.Errorf("listing retired hosts: %w", err)
	}
	return hosts, nil
}

// tokenOrders lists the probe tokens of all the tenant's sites, and leases uses
// of those of the relay's own.
func tokenOrders(ctx context.Context, tx pgx.Tx, relay relaychan.Relay, now time.Time) ([]uplink.TokenOrder, error) {
	// By id: concurrent requests lock tokens in the same order.
	rows, err := tx.Query(ctx, `
		SELECT t.id, t.hash, t.labels, t.expires_at, t.revoked_at, t.max_uses, t.uses, t.site,
			coalesce((SELECT l.granted FROM assim.token_leases l WHERE l.token = t.id AND l.relay = $1), 0)
		FROM assim.tokens t
		WHERE t.kind = 'enr' AND coalesce(t.revoked_at, t.expires_at, $2) > $3
		ORDER BY t.id LIMIT $4`, relay.ID, now, now.Add(-endedTokens), uplink.MaxTokens)
	if err != nil {
		return nil, fmt.Errorf("listing the tokens for relay %s: %w", relay.ID, err)
	}
	type row struct {
		uplink.TokenOrder
		token Token
	}
	tokens, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) {
		var t row
		var site tenancy.SiteID
		var labels []byte
		err := r.Scan(&t.ID, &t.Hash, &labels, &t.token.ExpiresAt, &t.token.RevokedAt, &t.token.MaxUses, &t.token.Uses, &site, &t.Allowance)
		if err == nil {
			err = json.Unmarshal(labels, &t.Labels)
		}
		t.WrongSite = site != relay.Site
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the tokens for relay %s: %w", relay.ID, err)
	}
	orders := make([]uplink.TokenOrder, len(tokens))
	for i, t := range tokens {
		if orders[i], err = order(ctx, tx, relay, t.TokenOrder, t.token, now); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

func order(ctx context.Context, tx pgx.Tx, relay relaychan.Relay, o uplink.TokenOrder, t Token, now time.Time) (uplink.TokenOrder, error) {
	if o.WrongSite {
		return uplink.TokenOrder{ID: o.ID, Hash: o.Hash, WrongSite: true}, nil
	}
	o.Revoked = t.RevokedAt != nil
	if t.ExpiresAt != nil {
		o.Expires = t.ExpiresAt.UnixMilli()
	}
	switch {
	case t.MaxUses == nil:
		o.Allowance = allowance.Unlimited
	case t.state(now) == Active:
		granted, used, err := allowance.Grant(ctx, tx, relay.Tenant, relay.ID, o.ID)
		if err != nil {
			return uplink.TokenOrder{}, err
		}
		o.Allowance, o.UsedUp = granted, granted <= used
	default:
		o.UsedUp = t.Uses >= *t.MaxUses
	}
	return o, nil
}
