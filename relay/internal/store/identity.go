package store

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// Keys are the relay's own secrets, drawn once.
type Keys struct {
	Noise [32]byte           // X25519: what the site certifies
	Sign  ed25519.PrivateKey // signs what goes to the service
	Seal  uplink.OpenKey     // opens what comes from it
}

// Enrolment is what the relay learnt when the service admitted it.
type Enrolment struct {
	URL         string
	TenantKey   uplink.SealKey
	Tenant      tenancy.TenantID
	Site        tenancy.SiteID
	Relay       tenancy.RelayID
	SiteKey     ed25519.PublicKey
	SiteName    string
	Certificate []byte // encoded wire.Certificate, renewed by orders
	// NextCertificate is one by the key that replaces the site's; nil: none does.
	NextCertificate []byte
}

// Identity is the whole of it.
type Identity struct {
	Keys      Keys
	Enrolled  bool
	Enrolment Enrolment
	Orders    uint64 // revision last applied
	OrdersAt  int64
	Revoked   bool

	// SiteSecret is what the site's relays share, nil before the service has given
	// it. OwnSecret is this relay's stand-in for it.
	SiteSecret []byte
	OwnSecret  []byte
	Policy     uplink.Policy
	// Revocation is what the site's probes are told of its relays, encoded; nil:
	// nothing.
	Revocation []byte
	// NextRevocation is the same by the key that replaces the site's.
	NextRevocation []byte
	// SiteKeys says which keys are the site's; nil: Enrolment.SiteKey is.
	SiteKeys *wire.KeyStatement
}

// TrustedKeys are the keys of the site, the newest first, and the sequence of the
// statement that says so.
func (id Identity) TrustedKeys() (wire.Keys, uint64) {
	return wire.Trusted([ed25519.PublicKeySize]byte(id.Enrolment.SiteKey), id.SiteKeys)
}

// DomainSecret is what the opaque names of domains are made with.
func (id Identity) DomainSecret() []byte {
	if id.SiteSecret != nil {
		return id.SiteSecret
	}
	return id.OwnSecret
}

// Identity reads who this relay is. found is false before SaveKeys.
func (s *Store) Identity(ctx context.Context) (id Identity, found bool, err error) {
	var noise, sign, seal, tenantKey, tenant, site, relay, statement []byte
	var url, siteName sql.NullString
	var policy string
	e := &id.Enrolment
	err = s.readers.QueryRowContext(ctx, `SELECT noise_key, sign_key, seal_key, url, tenant_key, tenant, site, id, site_key, site_name,
		certificate, orders, orders_at, revoked, own_secret, site_secret, policy, revocation,
		site_keys, next_certificate, next_revocation FROM relay`).Scan(&noise, &sign, &seal, &url, &tenantKey, &tenant, &site, &relay,
		(*[]byte)(&e.SiteKey), &siteName, &e.Certificate, &id.Orders, &id.OrdersAt, &id.Revoked,
		&id.OwnSecret, &id.SiteSecret, &policy, &id.Revocation, &statement, &e.NextCertificate, &id.NextRevocation)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, false, nil
	}
	if err != nil {
		return Identity{}, false, fmt.Errorf("reading the relay's identity: %w", err)
	}
	if len(noise) != 32 || len(sign) != ed25519.SeedSize {
		return Identity{}, false, errors.New("the relay's keys are damaged")
	}
	if err := json.Unmarshal([]byte(policy), &id.Policy); err != nil {
		return Identity{}, false, fmt.Errorf("reading the site's policy: %w", err)
	}
	id.Keys.Noise = [32]byte(noise)
	id.Keys.Sign = ed25519.NewKeyFromSeed(sign)
	if id.Keys.Seal, err = uplink.ParseOpenKey(seal); err != nil {
		return Identity{}, false, fmt.Errorf("reading the relay's seal key: %w", err)
	}
	if relay == nil {
		return id, true, nil
	}
	if len(tenant) != 16 || len(site) != 16 || len(relay) != 16 || len(e.SiteKey) != ed25519.PublicKeySize {
		return Identity{}, false, errors.New("the relay's enrolment is damaged")
	}
	if e.TenantKey, err = uplink.ParseSealKey(tenantKey); err != nil {
		return Identity{}, false, fmt.Errorf("reading the tenant's key: %w", err)
	}
	if statement != nil {
		s, err := wire.ParseKeyStatement(statement)
		if err != nil {
			return Identity{}, false, fmt.Errorf("reading the statement of the site's keys: %w", err)
		}
		id.SiteKeys = &s
	}
	id.Enrolled = true
	e.URL, e.SiteName = url.String, siteName.String
	e.Tenant.UUID, e.Site.UUID, e.Relay.UUID = [16]byte(tenant), [16]byte(site), [16]byte(relay)
	return id, true, nil
}

// SaveKeys stores the keys of a new relay, or the new keys of one that was
// revoked: it has to be enrolled then.
func (tx *Tx) SaveKeys(k Keys) error {
	seal, err := k.Seal.Bytes()
	if err != nil {
		return err
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails since Go 1.24
	return tx.exec(`INSERT INTO relay (one, noise_key, sign_key, seal_key, own_secret) VALUES (1, ?, ?, ?, ?) ON CONFLICT (one) DO UPDATE SET
		noise_key = excluded.noise_key, sign_key = excluded.sign_key, seal_key = excluded.seal_key, id = NULL, revoked = 0`,
		k.Noise[:], k.Sign.Seed(), seal, secret)
}

// Enrol stores an enrolment and begins the stream. A relay that was moved to
// another site forgets the hosts of the old one: they are that site's.
func (tx *Tx) Enrol(e Enrolment, now int64) error {
	var site []byte
	if _, err := tx.row("SELECT site FROM relay", nil, &site); err != nil {
		return err
	}
	if site != nil && [16]byte(site) != e.Site.UUID {
		if err := tx.forgetSite(); err != nil {
			return fmt.Errorf("forgetting the former site: %w", err)
		}
	}
	err := tx.exec(`UPDATE relay SET url = ?, tenant_key = ?, tenant = ?, site = ?, id = ?, site_key = ?, site_name = ?,
		certificate = ?, orders = 0, orders_at = 0, revoked = 0, revocation = NULL, site_keys = NULL, next_certificate = NULL,
		next_revocation = NULL`, e.URL, e.TenantKey.Bytes(), e.Tenant.UUID[:], e.Site.UUID[:],
		e.Relay.UUID[:], []byte(e.SiteKey), e.SiteName, e.Certificate)
	if err != nil {
		return fmt.Errorf("storing the enrolment: %w", err)
	}
	if err := tx.Restart(e.Relay, now); err != nil {
		return err
	}
	_, err = tx.Resync(1, now) // ends at once where there is no host yet
	return err
}

func (tx *Tx) forgetSite() error {
	var size int64
	if _, err := tx.row("SELECT coalesce(sum(length(record)), 0) FROM outbox", nil, &size); err != nil {
		return err
	}
	for _, statement := range []string{"DELETE FROM outbox", "DELETE FROM tokens", "DELETE FROM hosts", "DELETE FROM retired",
		"DELETE FROM facts", "DELETE FROM verdicts", "DELETE FROM settled", "DELETE FROM bases", "DELETE FROM bodies", "DELETE FROM problems",
		"DELETE FROM relays", "DELETE FROM origins", "DELETE FROM replica"} {
		if err := tx.exec(statement); err != nil {
			return err
		}
	}
	tx.grown -= size
	tx.head = Head{}
	return tx.exec("UPDATE relay SET site_secret = NULL, own_secret = randomblob(32), policy = '{}', residency = 'site', decision = ''")
}
