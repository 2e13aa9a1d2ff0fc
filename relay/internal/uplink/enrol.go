package uplink

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
	"assimilation/wire/handshake"
)

// Refused is the service's word that it does not admit this relay.
type Refused struct {
	Reason wire.Reason
	Detail string
}

func (e *Refused) Error() string {
	if e.Detail == "" {
		return "the service refused to enrol this relay: " + e.Reason.String()
	}
	return "the service refused to enrol this relay: " + e.Reason.String() + ": " + e.Detail
}

// NewKeys draws a relay's keys.
func NewKeys() (store.Keys, error) {
	pair, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		return store.Keys{}, err
	}
	_, sign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return store.Keys{}, fmt.Errorf("drawing a signing key: %w", err)
	}
	seal, err := uplink.NewOpenKey()
	return store.Keys{Noise: pair.Private, Sign: sign, Seal: seal}, err
}

// ReadToken reads a relay token, and says what is wrong with it offline.
func ReadToken(text string) (tenancy.Token, error) {
	token, err := tenancy.ParseToken(text)
	if err != nil {
		return tenancy.Token{}, &Refused{wire.Malformed, err.Error()}
	}
	if token.Kind != tenancy.RelayToken {
		return tenancy.Token{}, &Refused{wire.WrongKind, fmt.Sprintf("asm_%s_... was given, a relay is enrolled by asm_%s_...", token.Kind, tenancy.RelayToken)}
	}
	return token, nil
}

// Enrol asks the service that the token names to admit this relay. The token
// pins the tenant's key, that key's holder alone can read the request and know
// the nonce in the answer: so neither DNS nor TLS need be trusted.
func Enrol(ctx context.Context, token tenancy.Token, keys store.Keys, name, version string) (store.Enrolment, error) {
	client, err := NewClient(token.Address)
	if err != nil {
		return store.Enrolment{}, err
	}
	defer client.Close()
	tenantKey, err := client.tenantKey(ctx, token.Pin)
	if err != nil {
		return store.Enrolment{}, fmt.Errorf("fetching the tenant's key from %s: %w", client.base, err)
	}
	pair := handshake.KeypairFrom(keys.Noise)
	request := uplink.EnrolRequest{
		TokenID: token.ID, Secret: token.Secret[:], Name: name, Version: version,
		NoiseKey: pair.Public[:], SignKey: keys.Sign.Public().(ed25519.PublicKey), SealKey: keys.Seal.SealKey().Bytes(),
		Nonce: uplink.NewNonce(), Time: time.Now().UnixMilli(),
	}
	payload, err := request.Encode()
	if err != nil {
		return store.Enrolment{}, err
	}
	header := uplink.Header{Purpose: uplink.PurposeEnrol, SentAt: request.Time, Nonce: uplink.NewNonce()}
	envelope, err := uplink.Seal(header, payload, tenantKey, keys.Sign)
	if err != nil {
		return store.Enrolment{}, fmt.Errorf("sealing: %w", err)
	}
	sealed, err := client.do(ctx, http.MethodPost, "/relay/v1/enrol", envelope, requestTime)
	if err != nil {
		return store.Enrolment{}, fmt.Errorf("enrolling at %s: %w", client.base, err)
	}
	answer, err := uplink.OpenEnrolAnswer(sealed, keys.Seal, request.Nonce)
	if err != nil {
		return store.Enrolment{}, fmt.Errorf("opening the answer: %w", err)
	}
	if answer.Reason != wire.Accepted {
		return store.Enrolment{}, &Refused{answer.Reason, answer.Detail}
	}
	enrolment := store.Enrolment{
		URL: client.base, TenantKey: tenantKey, Tenant: answer.Tenant, Site: answer.Site, Relay: answer.Relay,
		SiteKey: answer.SiteKey, SiteName: answer.SiteName, Certificate: answer.Certificate,
	}
	return enrolment, CheckCertificates(store.Identity{Keys: keys, Enrolment: enrolment}, time.Now())
}

func (c *Client) tenantKey(ctx context.Context, pin [32]byte) (uplink.SealKey, error) {
	encoded, err := c.do(ctx, http.MethodGet, "/relay/v1/keys/"+hex.EncodeToString(pin[:]), nil, requestTime)
	if err != nil {
		return uplink.SealKey{}, err
	}
	key, err := uplink.ParseSealKey(encoded)
	if err != nil {
		return uplink.SealKey{}, err
	}
	if key.Hash() != pin {
		return uplink.SealKey{}, errors.New("it is not the key that the token names")
	}
	return key, nil
}

// CheckCertificates reports why a relay's certificates are not its own.
func CheckCertificates(id store.Identity, now time.Time) error {
	trusted, _ := id.TrustedKeys()
	err := checkCertificate(id.Enrolment.Certificate, trusted, id, now)
	if err == nil && id.Enrolment.NextCertificate != nil {
		err = checkCertificate(id.Enrolment.NextCertificate, trusted[:1], id, now)
	}
	return err
}

func checkCertificate(encoded []byte, trusted wire.Keys, id store.Identity, now time.Time) error {
	certificate, err := wire.ParseCertificate(encoded)
	if err == nil {
		err = trusted.Verified(func(key ed25519.PublicKey) error { return certificate.Verify(key, now) })
	}
	if err != nil {
		return fmt.Errorf("checking the relay's certificate: %w", err)
	}
	e := id.Enrolment
	if certificate.Key != handshake.KeypairFrom(id.Keys.Noise).Public || certificate.Relay != e.Relay.UUID || certificate.Site != e.Site.UUID {
		return errors.New("the certificate is for another relay, site or key")
	}
	return nil
}

// Reach asks the service for the tenant's key: whether it answers, and is ours.
func (c *Client) Reach(ctx context.Context, key uplink.SealKey) error {
	_, err := c.tenantKey(ctx, key.Hash())
	return err
}
