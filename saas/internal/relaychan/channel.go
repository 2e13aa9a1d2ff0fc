// Package relaychan is the service's end of the uplink: it turns an HTTP body
// into an opened envelope of a known relay, and an answer into an envelope that
// only this relay can read. What the envelopes mean is their handlers' business.
//
//	body -> bounded read -> header -> relay row (tenant, keys) -> signature -> open
//	     -> handler -> seal to the relay, sign with the site's key
//
// Who cannot be answered under seal (unknown relay, bad signature, damaged
// envelope) gets an HTTP status and the reason's name, nothing else; every
// refusal is counted by its reason.
package relaychan

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/uplink"
	"assimilation/wire"
)

// MaxSmall bounds every body but a batch, in bytes: an enrolment has 3 KB.
const MaxSmall = 64 << 10

const (
	maxOpenings = 16
	// Bytes held at a time: of bodies that are not verified yet, and of what
	// verified ones expand to, until they have had their effect. A few hundred
	// bytes expand to uplink.MaxPayload, so one tenant gets a part only.
	maxBodies       = 256 << 20
	maxOpened       = 1 << 30
	maxOpenedTenant = 256 << 20
	// A relay has one batch and one request for orders on its way; more are lost
	// ones of before, or somebody who sends a copy again and again: each waits for
	// its answer.
	maxWaiting = 8
	// An address may enrol this often: far more than a site has relays, far less
	// than guessing or filling the log of refusals would need.
	enrolInterval = time.Second
	enrolBurst    = 60
	maxAddresses  = 10_000
	// One line per address and reason in that time: anybody can be refused often.
	saidAgain = time.Minute
)

// Channel opens and seals for all tenants.
type Channel struct {
	db       *store.DB
	keys     *keys.Master
	log      *slog.Logger
	refused  *prometheus.CounterVec
	openings chan struct{}
	bodies   *budget[struct{}]
	opened   *budget[tenancy.TenantID]
	waiting  *budget[tenancy.RelayID] // requests
	enrols   *web.Limiter
	said     *web.Limiter
}

// New makes a Channel and registers its counter.
func New(db *store.DB, master *keys.Master, log *slog.Logger, metrics prometheus.Registerer) *Channel {
	c := &Channel{
		db: db, keys: master, log: log,
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_relay_requests_refused_total", Help: "Requests of relays that were refused, by endpoint and reason."}, []string{"endpoint", "reason"}),
		openings: make(chan struct{}, maxOpenings),
		bodies:   newBudget[struct{}](maxBodies, maxBodies),
		opened:   newBudget[tenancy.TenantID](maxOpened, maxOpenedTenant),
		waiting:  newBudget[tenancy.RelayID](math.MaxInt64, maxWaiting),
		enrols:   web.NewLimiter(enrolInterval, enrolBurst, maxAddresses),
		said:     web.NewLimiter(saidAgain, 1, maxAddresses),
	}
	metrics.MustRegister(c.refused)
	return c
}

// Relay is an enrolled relay as its row has it.
type Relay struct {
	ID       tenancy.RelayID
	Tenant   tenancy.TenantID
	Site     tenancy.SiteID
	SiteName string
	Name     string
	// Revoked relays are still understood, so that they can be told.
	Revoked bool
	// SealedTo is the id of the tenant's key that the request was sealed to.
	SealedTo []byte

	signKey ed25519.PublicKey
	sealKey uplink.SealKey
	siteKey ed25519.PrivateKey
	secret  []byte // of the site; nil: made of siteKey
	openKey uplink.OpenKey
}

// SiteSecret is what the relays of the relay's site share.
func (r Relay) SiteSecret() []byte {
	if r.secret != nil {
		return r.secret
	}
	return keys.SiteSecret(r.siteKey.Seed())
}

// Request is an envelope that was verified and opened.
type Request struct {
	Relay   Relay
	Header  uplink.Header
	Payload []byte
}

// relay finds the relay that an envelope's header names. Where the tenant's key was
// replaced, the former one opens, too, until it is retired.
func (c *Channel) relay(ctx context.Context, id tenancy.RelayID, keyID []byte) (Relay, error) {
	r := Relay{ID: id, SealedTo: keyID}
	var tenant *tenancy.TenantID
	err := c.db.Global(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT assim.tenant_of_relay($1)`, id).Scan(&tenant)
	})
	if err != nil {
		return Relay{}, fmt.Errorf("looking up the tenant of relay %s: %w", id, err)
	}
	if tenant == nil {
		return Relay{}, &wire.Error{Reason: wire.NotEnrolled, What: "relay"}
	}
	r.Tenant = *tenant
	var sealKey, siteWrapped, secretWrapped, tenantWrapped []byte
	err = c.db.In(ctx, r.Tenant, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			SELECT r.name, r.sign_key, r.seal_key, r.revoked_at IS NOT NULL, s.id, s.name, s.site_private, s.site_secret,
				CASE WHEN substring(t.former_key_hash FROM 1 FOR 8) = $2 THEN t.former_private ELSE t.seal_private END
			FROM assim.relays r JOIN assim.sites s ON s.id = r.site JOIN assim.tenants t ON t.id = r.tenant
			WHERE r.id = $1`, id, keyID).
			Scan(&r.Name, &r.signKey, &sealKey, &r.Revoked, &r.Site, &r.SiteName, &siteWrapped, &secretWrapped, &tenantWrapped)
	})
	if errors.Is(err, pgx.ErrNoRows) || errors.Is(err, store.ErrUnknownTenant) { // deleted between the two, or with its tenant
		return Relay{}, &wire.Error{Reason: wire.NotEnrolled, What: "relay"}
	}
	if err != nil {
		return Relay{}, fmt.Errorf("reading relay %s: %w", id, err)
	}
	if r.sealKey, err = uplink.ParseSealKey(sealKey); err != nil {
		return Relay{}, fmt.Errorf("seal key of relay %s: %w", id, notTheirs(err))
	}
	if r.siteKey, err = SiteKey(c.keys, r.Site, siteWrapped); err != nil {
		return Relay{}, err
	}
	if secretWrapped != nil {
		if r.secret, err = c.keys.Unwrap(keys.OfSiteSecret(r.Site), secretWrapped); err != nil {
			return Relay{}, err
		}
	}
	if r.openKey, err = c.openKey(r.Tenant, tenantWrapped); err != nil {
		return Relay{}, err
	}
	return r, nil
}

// tenant finds the tenant whose seal key has the id: who a relay without an
// identity wants to join.
func (c *Channel) tenant(ctx context.Context, keyID []byte) (tenancy.TenantID, uplink.OpenKey, error) {
	var id tenancy.TenantID
	var wrapped []byte
	err := c.db.Global(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			(SELECT id, seal_private FROM assim.tenants WHERE substring(seal_key_hash FROM 1 FOR 8) = $1 LIMIT 1)
			UNION ALL (SELECT id, former_private FROM assim.tenants WHERE substring(former_key_hash FROM 1 FOR 8) = $1 LIMIT 1)
			LIMIT 1`, keyID).Scan(&id, &wrapped)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return tenancy.TenantID{}, uplink.OpenKey{}, &wire.Error{Reason: wire.WrongTenant, What: "no tenant has this key"}
	}
	if err != nil {
		return tenancy.TenantID{}, uplink.OpenKey{}, fmt.Errorf("looking up a tenant by its key: %w", err)
	}
	key, err := c.openKey(id, wrapped)
	return id, key, err
}

func (c *Channel) openKey(tenant tenancy.TenantID, wrapped []byte) (uplink.OpenKey, error) {
	raw, err := c.keys.Unwrap(keys.OfTenant(tenant), wrapped)
	if err != nil {
		return uplink.OpenKey{}, err
	}
	key, err := uplink.ParseOpenKey(raw)
	if err != nil {
		return uplink.OpenKey{}, fmt.Errorf("seal key of tenant %s: %w", tenant, notTheirs(err))
	}
	return key, nil
}

// SiteKey unwraps a site's private key.
func SiteKey(master *keys.Master, site tenancy.SiteID, wrapped []byte) (ed25519.PrivateKey, error) {
	seed, err := master.Unwrap(keys.OfSite(site), wrapped)
	if err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("key of site %s has %d bytes", site, len(seed))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// notTheirs keeps the damage of a stored key from being taken for the fault of
// the relay's request.
func notTheirs(err error) error { return errors.New(err.Error()) }
