// Package idempotency remembers for a day what was answered to requests that name
// themselves, so that one that is sent again is not done again. It is durable: the
// process that answered first may be dead.
//
// Answers may hold secrets that are shown once, as a new token. They are stored
// wrapped by the master key, and who repeats a request is who was shown them.
package idempotency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

const (
	keptFor = 24 * time.Hour
	// maxKeys bounds what one tenant's requests of a day may cost, maxOfPerson those of
	// one of its people: what they send in vain must not keep others from theirs.
	maxKeys     = 10_000
	maxOfPerson = 5000
)

// Store keeps answers. All fields are required.
type Store struct {
	DB     *store.DB
	Master *keys.Master
}

var _ web.Repeats = (*Store)(nil)

// Begin is web.Repeats's.
func (s *Store) Begin(ctx context.Context, tenant tenancy.TenantID, key, fingerprint [32]byte) (answer []byte, known bool, err error) {
	now := time.Now()
	err = s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		if err := forget(ctx, tx, now); err != nil {
			return err
		}
		begun, err := tx.Exec(ctx, `INSERT INTO assim.answers (tenant, key, fingerprint, begun_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, tenant, key[:], fingerprint[:], now)
		if err != nil {
			return err
		}
		if begun.RowsAffected() == 1 {
			var n, own int
			whose := key[:web.WhoseKey]
			if err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM (SELECT FROM assim.answers LIMIT $1) x),
				(SELECT count(*) FROM (SELECT FROM assim.answers WHERE key >= $2 AND substring(key FOR $3) = $2 LIMIT $4) x)`,
				maxKeys+1, whose, len(whose), maxOfPerson+1).Scan(&n, &own); err != nil {
				return err
			}
			if n > maxKeys || own > maxOfPerson {
				return web.ErrTooManyKeys
			}
			return nil
		}
		var before, wrapped []byte
		err = tx.QueryRow(ctx, `SELECT fingerprint, answer FROM assim.answers WHERE key = $1`, key[:]).Scan(&before, &wrapped)
		switch {
		case errors.Is(err, pgx.ErrNoRows): // it was forgotten between the two statements
			return web.ErrUnanswered
		case err != nil:
			return err
		case !bytes.Equal(before, fingerprint[:]):
			return web.ErrOtherRequest
		case wrapped == nil:
			return web.ErrUnanswered
		}
		answer, err = s.Master.Unwrap(keys.OfAnswer(tenant), wrapped)
		known = err == nil
		return err
	})
	return answer, known, err
}

// Forget takes out a tenant's answers that are older than a day. A request that
// names itself does so, too; tx is a writer's transaction of the tenant.
func Forget(ctx context.Context, tx pgx.Tx) error { return forget(ctx, tx, time.Now()) }

func forget(ctx context.Context, tx pgx.Tx, now time.Time) error {
	if _, err := tx.Exec(ctx, `DELETE FROM assim.answers WHERE begun_at < $1`, now.Add(-keptFor)); err != nil {
		return fmt.Errorf("forgetting answers: %w", err)
	}
	return nil
}

// End is web.Repeats's.
func (s *Store) End(ctx context.Context, tenant tenancy.TenantID, key [32]byte, answer []byte) error {
	return s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		if answer == nil {
			_, err := tx.Exec(ctx, `DELETE FROM assim.answers WHERE key = $1`, key[:])
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE assim.answers SET answer = $2 WHERE key = $1`, key[:], s.Master.Wrap(keys.OfAnswer(tenant), answer))
		return err
	})
}
