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
// same relays make the same bytes. next is by the site's next key.
func revocation(ctx context.Context, tx pgx.Tx, site tenancy.SiteID, word siteWord, now time.Time) (encoded, next []byte, err error) {
	rows, err := tx.Query(ctx, `
		SELECT id, revoked_at FROM assim.relays WHERE site = $1 AND revoked_at > $2 ORDER BY revoked_at DESC, id LIMIT $3`,
		site, now.Add(-certificateLife), wire.MaxRevoked)
	if err != nil {
		return nil, nil, fmt.Errorf("listing revoked relays: %w", err)
	}
	var list wire.Revocation
	var relay tenancy.RelayID
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&relay, &at}, func() error {
		list.At = max(list.At, at.UnixMilli())
		list.Relays = append(list.Relays, relay.UUID)
		return nil
	}); err != nil {
		return nil, nil, fmt.Errorf("listing revoked relays: %w", err)
	}
	if len(list.Relays) == 0 {
		return nil, nil, nil
	}
	if word.next != nil {
		next = list.Sign(word.next).Append(nil)
	}
	return list.Sign(word.key).Append(nil), next, nil
}
