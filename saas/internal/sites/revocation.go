package sites

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/wire"
)

// revocation is the site's word for its probes on the relays that it has revoked
// and whose certificates would still be valid, encoded; nil: there are none. The
// same relays make the same bytes.
func (s *Service) revocation(ctx context.Context, tx pgx.Tx, site tenancy.SiteID, now time.Time) ([]byte, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, revoked_at FROM assim.relays WHERE site = $1 AND revoked_at > $2 ORDER BY revoked_at DESC, id LIMIT $3`,
		site, now.Add(-certificateLife), wire.MaxRevoked)
	if err != nil {
		return nil, fmt.Errorf("listing revoked relays: %w", err)
	}
	var list wire.Revocation
	var relay tenancy.RelayID
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&relay, &at}, func() error {
		list.At = max(list.At, at.UnixMilli())
		list.Relays = append(list.Relays, relay.UUID)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("listing revoked relays: %w", err)
	}
	if len(list.Relays) == 0 {
		return nil, nil
	}
	var wrapped []byte
	if err := tx.QueryRow(ctx, `SELECT site_private FROM assim.sites WHERE id = $1`, site).Scan(&wrapped); err != nil {
		return nil, fmt.Errorf("reading the key of site %s: %w", site, err)
	}
	key, err := s.Channel.SiteKey(site, wrapped)
	if err != nil {
		return nil, err
	}
	return list.Sign(key).Append(nil), nil
}
