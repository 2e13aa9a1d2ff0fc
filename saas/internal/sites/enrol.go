package sites

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// maxSkew is how far the clocks may differ: the relay will judge the expiry of
// probes' tokens by its own.
const maxSkew = 10 * time.Minute

// verdict is what became of an enrolment.
type verdict struct {
	reason wire.Reason
	detail string

	site        tenancy.SiteID
	siteName    string
	siteKey     ed25519.PrivateKey
	relay       tenancy.RelayID
	certificate []byte
}

// Enrol judges the request of a relay to join. It is idempotent by the relay's
// signing key: a repeated request gets the same answer and spends nothing.
// Refusals are written down, so that the console can show them.
func (s *Service) Enrol(ctx context.Context, e relaychan.Enrolment) (uplink.EnrolAnswer, ed25519.PrivateKey, error) {
	var v verdict
	err := s.DB.In(ctx, e.Tenant, func(tx pgx.Tx) (err error) {
		v, err = s.judge(ctx, tx, e, time.Now())
		if err != nil || v.reason == wire.Accepted {
			return err
		}
		return v.refusal(e).put(ctx, tx, e.Tenant)
	})
	if isDuplicate(err) {
		// Only another tenant's row can stand in the way: ours would have been found.
		v, err = verdict{reason: wire.WrongTenant, detail: "the relay's key is enrolled elsewhere; remove its state and enrol again"}, nil
	}
	if err != nil {
		return uplink.EnrolAnswer{}, nil, fmt.Errorf("enrolling a relay: %w", err)
	}
	if v.reason != wire.Accepted {
		s.Log.Warn("enrolment of a relay refused", "tenant", e.Tenant, "name", e.Request.Name, "token", e.Request.TokenID,
			"reason", v.reason.String(), "detail", v.detail, "from", e.From)
		return uplink.EnrolAnswer{Reason: v.reason, Detail: v.detail}, v.siteKey, nil
	}
	s.Log.Info("relay enrolled", "tenant", e.Tenant, "site", v.site, "relay", v.relay, "name", e.Request.Name, "token", e.Request.TokenID, "from", e.From)
	return uplink.EnrolAnswer{
		Tenant: e.Tenant, Site: v.site, Relay: v.relay, SiteName: v.siteName,
		SiteKey: v.siteKey.Public().(ed25519.PublicKey), Certificate: v.certificate,
	}, v.siteKey, nil
}

func (v verdict) refusal(e relaychan.Enrolment) event {
	refusal := event{kind: "refusal", detail: map[string]string{
		"subject": "enrolment", "reason": v.reason.String(), "detail": v.detail, "token": e.Request.TokenID, "from": e.Request.Name,
	}}
	if !v.site.IsZero() {
		refusal.site = &v.site
	}
	return refusal
}

// judge decides and, when it accepts, enrols.
func (s *Service) judge(ctx context.Context, tx pgx.Tx, e relaychan.Enrolment, now time.Time) (verdict, error) {
	request := e.Request
	var t Token
	var v verdict
	var kind string
	var hash []byte
	err := tx.QueryRow(ctx, `
		SELECT t.kind, t.hash, t.expires_at, t.revoked_at, t.max_uses, t.uses, s.id, s.name
		FROM assim.tokens t JOIN assim.sites s ON s.id = t.site WHERE t.id = $1 FOR UPDATE OF t`, request.TokenID).
		Scan(&kind, &hash, &t.ExpiresAt, &t.RevokedAt, &t.MaxUses, &t.Uses, &v.site, &v.siteName)
	unknown := errors.Is(err, pgx.ErrNoRows)
	if err != nil && !unknown {
		return verdict{}, fmt.Errorf("reading token %s: %w", request.TokenID, err)
	}
	// Who does not have the secret learns nothing of the token.
	given := tenancy.HashSecret(request.Secret)
	if unknown || subtle.ConstantTimeCompare(hash, given[:]) != 1 {
		return verdict{reason: wire.UnknownToken, detail: "no such token, or its secret is wrong"}, nil
	}
	word, err := s.word(ctx, tx, v.site)
	if err != nil {
		return verdict{}, err
	}
	v.siteKey = word.key
	if tenancy.TokenKind(kind) != tenancy.RelayToken {
		return v.refuse(wire.WrongKind, "the token is for probes; mint one for a relay"), nil
	}
	if known, found, err := v.repeated(ctx, tx, request); found || err != nil {
		return known, err
	}
	switch t.state(now) {
	case TokenRevoked:
		return v.refuse(wire.Revoked, "the token was revoked at "+t.RevokedAt.UTC().Format(time.RFC3339)), nil
	case Expired:
		return v.refuse(wire.Expired, "the token expired at "+t.ExpiresAt.UTC().Format(time.RFC3339)), nil
	case UsedUp:
		return v.refuse(wire.UsedUp, fmt.Sprintf("the token's uses are spent: %d of %d", t.Uses, *t.MaxUses)), nil
	}
	if skew := time.UnixMilli(request.Time).Sub(now); skew.Abs() > maxSkew {
		return v.refuse(wire.ClockSkew, fmt.Sprintf("the relay's clock differs from the service's by %s; %s is allowed", skew.Round(time.Second), maxSkew)), nil
	}
	return v.enrol(ctx, tx, e, word, now)
}

func (v verdict) refuse(reason wire.Reason, detail string) verdict {
	v.reason, v.detail = reason, detail
	return v
}

// repeated answers a relay that is enrolled already: the answer got lost.
func (v verdict) repeated(ctx context.Context, tx pgx.Tx, request uplink.EnrolRequest) (verdict, bool, error) {
	var site tenancy.SiteID
	var noiseKey, sealKey []byte
	var revoked bool
	err := tx.QueryRow(ctx, `
		SELECT id, site, noise_key, seal_key, certificate, revoked_at IS NOT NULL FROM assim.relays WHERE sign_key = $1`, request.SignKey).
		Scan(&v.relay, &site, &noiseKey, &sealKey, &v.certificate, &revoked)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return verdict{}, false, nil
	case err != nil:
		return verdict{}, false, fmt.Errorf("looking up the relay by its key: %w", err)
	case revoked:
		return v.refuse(wire.Revoked, "this relay was revoked; remove its state and enrol it anew"), true, nil
	case site != v.site:
		return v.refuse(wire.WrongSite, "this relay is enrolled in another site; remove its state and enrol it anew"), true, nil
	case !bytes.Equal(noiseKey, request.NoiseKey) || !bytes.Equal(sealKey, request.SealKey):
		return v.refuse(wire.Replayed, "this relay is enrolled with other keys; remove its state and enrol it anew"), true, nil
	}
	return v, true, nil
}

// enrol admits the relay and counts the use, in the caller's transaction.
func (v verdict) enrol(ctx context.Context, tx pgx.Tx, e relaychan.Enrolment, word siteWord, now time.Time) (verdict, error) {
	if err := quota.Room(ctx, tx, e.Tenant, quota.Relays); err != nil {
		if full, ok := errors.AsType[*web.Problem](err); ok {
			return v.refuse(wire.OverQuota, full.Detail), nil
		}
		return verdict{}, err
	}
	request := e.Request
	v.relay = tenancy.NewID[tenancy.RelayID]()
	var next []byte
	v.certificate, next = word.certify(v.site, v.relay, [32]byte(request.NoiseKey), now)
	_, err := tx.Exec(ctx, `
		INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate, version, next_certificate)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		v.relay, e.Tenant, v.site, request.Name, request.TokenID, request.NoiseKey, request.SignKey, request.SealKey, v.certificate, request.Version, next)
	if err != nil {
		return verdict{}, fmt.Errorf("storing a relay: %w", err)
	}
	_, err = tx.Exec(ctx, `UPDATE assim.tokens SET uses = uses + 1, last_used_at = now(), last_used_by = $2 WHERE id = $1`, request.TokenID, request.Name)
	if err != nil {
		return verdict{}, fmt.Errorf("counting a use of token %s: %w", request.TokenID, err)
	}
	err = audit.Write(ctx, tx, e.Tenant, audit.Entry{Actor: "token " + request.TokenID, Action: "relay.enrol", Object: v.relay.String(),
		Detail: map[string]string{"name": request.Name, "from": e.From}})
	if err != nil {
		return verdict{}, err
	}
	joined := event{kind: "relay.enrolled", site: &v.site, relay: &v.relay, detail: map[string]string{"name": request.Name, "token": request.TokenID}}
	if err := joined.put(ctx, tx, e.Tenant); err != nil {
		return verdict{}, err
	}
	return v, ordersChanged(ctx, tx, e.Tenant, v.site) // the site's other relays hear of it
}
