package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// sealedToNow is the SQL condition that the latest request of relay r was sealed to
// the present key of tenant t.
const sealedToNow = `r.sealed_to IS NOT DISTINCT FROM substring(t.seal_key_hash FROM 1 FOR 8)`

// maxNamed is how many relays an error names.
const maxNamed = 10

// Rotated is what a change of a tenant's key leaves to be done.
type Rotated struct {
	Tenant tenancy.TenantID
	Relays int // that are not revoked
	Tokens int // of relays, that can be used and name the former key
}

// RotateTenantKey replaces the seal key of a tenant, by name or id. draw makes the
// new pair, the private part wrapped. The former one opens until it is retired; as
// long as there is one, there is no other.
func RotateTenantKey(ctx context.Context, adminURL, tenant string, draw func(tenancy.TenantID) (public, wrapped []byte, err error)) (Rotated, error) {
	done, err := changeTenantKey(ctx, adminURL, tenant, "tenant.key.rotate", func(tx pgx.Tx, id tenancy.TenantID, rotated *time.Time) error {
		if rotated != nil {
			return fmt.Errorf("the key before that of %s is still there: retire it first", rotated.UTC().Format(time.RFC3339))
		}
		public, wrapped, err := draw(id)
		if err != nil {
			return err
		}
		hash := sha256.Sum256(public)
		_, err = tx.Exec(ctx, `UPDATE assim.tenants SET former_key = seal_key, former_key_hash = seal_key_hash, former_private = seal_private,
			rotated_at = now(), seal_key = $2, seal_key_hash = $3, seal_private = $4 WHERE id = $1`, id, public, hash[:], wrapped)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE assim.sites SET orders_revision = orders_revision + 1 WHERE tenant = $1`, id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `SELECT pg_notify('assim', $1)`, id.String()+" sites") // wakes the relays that wait for orders
		return err
	})
	if err != nil {
		return Rotated{}, fmt.Errorf("replacing a tenant's key: %w", err)
	}
	return done, nil
}

// RetireTenantKey deletes the former key of a tenant. Relays that may still seal to
// it are in the way: nobody would understand them any more.
func RetireTenantKey(ctx context.Context, adminURL, tenant string) (Rotated, error) {
	done, err := changeTenantKey(ctx, adminURL, tenant, "tenant.key.retire", func(tx pgx.Tx, id tenancy.TenantID, rotated *time.Time) error {
		if rotated == nil {
			return errors.New("the tenant has one key only")
		}
		rows, err := tx.Query(ctx, `
			SELECT format('%s of site %s', r.name, s.name) FROM assim.relays r JOIN assim.tenants t ON t.id = r.tenant JOIN assim.sites s ON s.id = r.site
			WHERE t.id = $1 AND r.revoked_at IS NULL AND NOT `+sealedToNow+` ORDER BY 1 LIMIT $2`, id, maxNamed)
		if err != nil {
			return err
		}
		behind, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		if len(behind) > 0 {
			return fmt.Errorf("relays that have not been heard under the new key: %s; wait for them, or revoke those that are gone", strings.Join(behind, ", "))
		}
		_, err = tx.Exec(ctx, `UPDATE assim.tenants SET former_key = NULL, former_key_hash = NULL, former_private = NULL, rotated_at = NULL WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return Rotated{}, fmt.Errorf("retiring a tenant's former key: %w", err)
	}
	return done, nil
}

// changeTenantKey runs change alone for its tenant, and writes its audit log.
func changeTenantKey(ctx context.Context, adminURL, tenant, action string, change func(tx pgx.Tx, id tenancy.TenantID, rotated *time.Time) error) (done Rotated, err error) {
	err = asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			id, err := tenantCalled(ctx, tx, tenant)
			if err != nil {
				return err
			}
			if id == nil {
				return errors.New("a tenant has a name")
			}
			done.Tenant = *id
			// No relay is enrolled meanwhile: its row refers to this one.
			var rotated *time.Time
			if err := tx.QueryRow(ctx, `SELECT rotated_at FROM assim.tenants WHERE id = $1 FOR UPDATE`, id).Scan(&rotated); err != nil {
				return err
			}
			err = tx.QueryRow(ctx, `
				SELECT (SELECT count(*) FROM assim.relays WHERE tenant = $1 AND revoked_at IS NULL),
					(SELECT count(*) FROM assim.tokens WHERE tenant = $1 AND kind = 'rly' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
						AND (max_uses IS NULL OR uses < max_uses) AND created_at < coalesce($2, now()))`, id, rotated).Scan(&done.Relays, &done.Tokens)
			if err != nil {
				return err
			}
			if err := change(tx, *id, rotated); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `INSERT INTO assim.audit (tenant, actor, action, object) VALUES ($1, 'operator', $2, $3)`, id, action, id.String())
			return err
		})
	})
	return done, err
}
