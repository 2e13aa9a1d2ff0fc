package sites

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
)

// RotateKey makes the key that replaces a site's. The one in force signs until
// RetireKey, so nobody who has not heard of the next one loses anything.
func (s *Service) RotateKey(ctx context.Context, actor web.Actor, ref string) (Key, error) {
	return s.changeKey(ctx, actor, ref, func(tx pgx.Tx, now Key) error {
		if now.Next != nil {
			return huma.Error409Conflict("a key replaces this one already, since " + now.Next.Since.Format(time.RFC3339) + ": retire the old one first")
		}
		word, err := s.word(ctx, tx, now.site.id)
		if err != nil {
			return err
		}
		var public ed25519.PublicKey
		if public, word.next, err = ed25519.GenerateKey(nil); err != nil {
			return fmt.Errorf("drawing a site key: %w", err)
		}
		_, err = tx.Exec(ctx, `UPDATE assim.sites SET next_key = $2, next_private = $3, next_at = now(), key_sequence = key_sequence + 1,
			site_secret = coalesce(site_secret, $4) WHERE id = $1`, now.site.id, []byte(public), s.Keys.Wrap(keys.OfSite(now.site.id), word.next.Seed()),
			s.Keys.Wrap(keys.OfSiteSecret(now.site.id), keys.SiteSecret(word.key.Seed())))
		if err != nil {
			return fmt.Errorf("storing the next key of site %s: %w", now.site.id, err)
		}
		if err := certifyAll(ctx, tx, now.site.id, word); err != nil {
			return err
		}
		return now.record(ctx, tx, actor, "site.key.rotate", map[string]string{"next": fingerprint(public)})
	})
}

// ReplaceKey puts another key in force at once, because others may have the old one:
// nothing that signs is believed to introduce it. The site's relays are revoked, and
// they and the hosts have to be enrolled again.
func (s *Service) ReplaceKey(ctx context.Context, actor web.Actor, ref string) (Key, error) {
	return s.changeKey(ctx, actor, ref, func(tx pgx.Tx, now Key) error {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return fmt.Errorf("drawing a site key: %w", err)
		}
		// Two steps on: nobody who has heard what was said before knows this key.
		_, err = tx.Exec(ctx, `UPDATE assim.sites SET former_key = site_key, site_key = $2, site_private = $3, keyed_at = now(), site_secret = NULL,
			next_key = NULL, next_private = NULL, next_at = NULL, key_sequence = key_sequence + 2 WHERE id = $1`,
			now.site.id, []byte(public), s.Keys.Wrap(keys.OfSite(now.site.id), private.Seed()))
		if err != nil {
			return fmt.Errorf("storing the new key of site %s: %w", now.site.id, err)
		}
		rows, err := tx.Query(ctx, `UPDATE assim.relays SET revoked_at = now() WHERE site = $1 AND revoked_at IS NULL RETURNING id`, now.site.id)
		if err != nil {
			return fmt.Errorf("revoking the relays of site %s: %w", now.site.id, err)
		}
		revoked, err := pgx.CollectRows(rows, pgx.RowTo[tenancy.RelayID])
		if err != nil {
			return fmt.Errorf("revoking the relays of site %s: %w", now.site.id, err)
		}
		for _, relay := range revoked {
			if err := allowance.Release(ctx, tx, relay); err != nil {
				return err
			}
		}
		if err := revokeTokens(ctx, tx, now.site.id, now.sequence+2); err != nil {
			return err
		}
		return now.record(ctx, tx, actor, "site.key.replace", map[string]string{
			"reason": "compromised", "next": fingerprint(public), "relays_revoked": strconv.Itoa(len(revoked))})
	})
}

// RetireKey puts the next key in force and deletes the one before. Who has not heard
// of it is in the way, unless forced.
func (s *Service) RetireKey(ctx context.Context, actor web.Actor, ref string, force bool) (Key, error) {
	return s.changeKey(ctx, actor, ref, func(tx pgx.Tx, now Key) error {
		if now.Next == nil {
			return huma.Error409Conflict("no key replaces this one: rotate it first")
		}
		missing := now.Hosts.Total - now.Hosts.Knowing + now.Relays.Total - now.Relays.Knowing
		if missing > 0 && !force {
			return huma.Error409Conflict("the next key is " + now.Summary +
				". Wait for them, retire or revoke those that are gone, or force it: they will have to be enrolled again")
		}
		_, err := tx.Exec(ctx, `UPDATE assim.sites SET former_key = site_key, site_key = next_key, site_private = next_private, keyed_at = now(),
			next_key = NULL, next_private = NULL, next_at = NULL, key_sequence = key_sequence + 1 WHERE id = $1`, now.site.id)
		if err != nil {
			return fmt.Errorf("retiring the key of site %s: %w", now.site.id, err)
		}
		_, err = tx.Exec(ctx, `UPDATE assim.relays SET certificate = coalesce(next_certificate, certificate), next_certificate = NULL WHERE site = $1`, now.site.id)
		if err != nil {
			return fmt.Errorf("taking the old certificates of site %s away: %w", now.site.id, err)
		}
		if err := revokeTokens(ctx, tx, now.site.id, now.sequence); err != nil {
			return err
		}
		detail := map[string]string{"next": now.Next.Fingerprint}
		if missing > 0 {
			detail["forced_without"] = strconv.FormatInt(missing, 10)
		}
		return now.record(ctx, tx, actor, "site.key.retire", detail)
	})
}

// changeKey runs change alone for its site, and tells the relays.
func (s *Service) changeKey(ctx context.Context, actor web.Actor, ref string, change func(pgx.Tx, Key) error) (k Key, err error) {
	err = s.DB.In(ctx, actor.Tenant, func(tx pgx.Tx) error {
		site, err := find(ctx, tx, ref)
		if err != nil {
			return err
		}
		// Rows are locked in the order of those who ask for orders and revoke tokens:
		// relays, tokens, sites. Tokens may end, of which all sites hear.
		for _, lock := range []string{
			`SELECT FROM assim.relays WHERE site = $1 ORDER BY id FOR UPDATE`,
			`SELECT FROM assim.tokens WHERE site = $1 AND kind = 'enr' AND revoked_at IS NULL ORDER BY id FOR UPDATE`,
		} {
			if _, err := tx.Exec(ctx, lock, site.ID); err != nil {
				return fmt.Errorf("locking what the key of site %s concerns: %w", site.ID, err)
			}
		}
		if err := tenantOrdersChanged(ctx, tx, actor.Tenant); err != nil {
			return err
		}
		now, err := keyOf(ctx, tx, site)
		if err != nil {
			return err
		}
		if err := change(tx, now); err != nil {
			return err
		}
		k, err = keyOf(ctx, tx, site)
		return err
	})
	return k, err
}

// certifyAll gives the relays of a site certificates by its next key, too.
func certifyAll(ctx context.Context, tx pgx.Tx, site tenancy.SiteID, word siteWord) error {
	rows, err := tx.Query(ctx, `SELECT id, noise_key FROM assim.relays WHERE site = $1 AND revoked_at IS NULL`, site)
	if err != nil {
		return fmt.Errorf("listing the relays of site %s: %w", site, err)
	}
	type holder struct {
		id       tenancy.RelayID
		noiseKey []byte
	}
	relays, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h holder, err error) { return h, row.Scan(&h.id, &h.noiseKey) })
	if err != nil {
		return fmt.Errorf("listing the relays of site %s: %w", site, err)
	}
	for _, r := range relays {
		certificate, next := word.certify(site, r.id, [32]byte(r.noiseKey), time.Now())
		if _, err := tx.Exec(ctx, `UPDATE assim.relays SET certificate = $2, next_certificate = $3 WHERE id = $1`, r.id, certificate, next); err != nil {
			return fmt.Errorf("storing the certificates of relay %s: %w", r.id, err)
		}
	}
	return nil
}

// revokeTokens ends the tokens that pin a key of before a statement.
func revokeTokens(ctx context.Context, tx pgx.Tx, site tenancy.SiteID, sequence int64) error {
	_, err := tx.Exec(ctx, `UPDATE assim.tokens SET revoked_at = now() WHERE site = $1 AND kind = 'enr' AND key_sequence < $2 AND revoked_at IS NULL`, site, sequence)
	if err != nil {
		return fmt.Errorf("ending the tokens that pin the former key of site %s: %w", site, err)
	}
	return nil
}

func (s *Service) registerKeys(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-site-key", Method: http.MethodGet, Path: "/v1/sites/{site}/key", Metadata: web.Needs(tenancy.Read), Tags: []string{"sites"},
		Summary: "Say which key a site has, which one replaces it, and who knows that one",
	}, func(ctx context.Context, in *InSite) (*one[Key], error) {
		return keyAnswer(s.Key(ctx, web.ActorFrom(ctx).Tenant, in.Site))
	})
	huma.Register(api, huma.Operation{
		OperationID: "rotate-site-key", Method: http.MethodPost, Path: "/v1/sites/{site}/key/rotate", Metadata: web.Needs(tenancy.ManageSite), Tags: []string{"sites"},
		Summary: "Make a key that replaces a site's; the one in force stays good until it is retired",
	}, func(ctx context.Context, in *struct {
		InSite
		Body struct {
			Compromised bool `json:"compromised,omitempty" doc:"others may have the key: the new one is in force at once, the site's relays are revoked, and all relays and hosts have to be enrolled again"`
		}
	}) (*one[Key], error) {
		if in.Body.Compromised {
			return keyAnswer(s.ReplaceKey(ctx, web.ActorFrom(ctx), in.Site))
		}
		return keyAnswer(s.RotateKey(ctx, web.ActorFrom(ctx), in.Site))
	})
	huma.Register(api, huma.Operation{
		OperationID: "retire-site-key", Method: http.MethodPost, Path: "/v1/sites/{site}/key/retire", Metadata: web.Needs(tenancy.ManageSite), Tags: []string{"sites"},
		Summary: "Put the key that replaces a site's in force, and delete the old one; refused while hosts or relays do not know it",
	}, func(ctx context.Context, in *struct {
		InSite
		Body struct {
			Force bool `json:"force,omitempty" doc:"also without hosts and relays that do not know it: they have to be enrolled again"`
		}
	}) (*one[Key], error) {
		return keyAnswer(s.RetireKey(ctx, web.ActorFrom(ctx), in.Site, in.Body.Force))
	})
}

func keyAnswer(k Key, err error) (*one[Key], error) {
	if err != nil {
		return nil, err
	}
	return &one[Key]{k}, nil
}
