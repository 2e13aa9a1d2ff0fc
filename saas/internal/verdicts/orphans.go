package verdicts

import (
	"context"
	"fmt"

	"assimilation/uplink"
)

// closeOrphans ends verdicts that their relay will not: it is revoked, or its
// hosts are all served by others now, to which they are up.
func (l *looker) closeOrphans(ctx context.Context) error {
	err := l.ended(ctx, "verdict.over", `
		UPDATE assim.verdicts v SET over_at = r.revoked_at, received_at = $1, ending = $2
		FROM assim.relays r
		WHERE v.over_at IS NULL AND r.tenant = v.tenant AND r.site = v.site AND r.id = v.relay AND r.revoked_at IS NOT NULL`, l.now, relayRevoked)
	if err != nil {
		return fmt.Errorf("ending the verdicts of revoked relays: %w", err)
	}
	err = l.ended(ctx, "verdict.over", `
		UPDATE assim.verdicts v SET over_at = m.moved_at, received_at = $1, ending = $2
		FROM (SELECT o.tenant, o.id, max(h.state_at) AS moved_at
			FROM assim.verdicts o JOIN assim.verdict_hosts vh ON vh.tenant = o.tenant AND vh.verdict = o.id
			JOIN assim.hosts h ON h.tenant = vh.tenant AND h.id = vh.host
			WHERE o.over_at IS NULL AND o.relay IS NOT NULL AND o.kind = ANY ($3)
			GROUP BY o.tenant, o.id, o.relay, o.count
			HAVING bool_and(h.state = 'up' AND h.relay <> o.relay) AND count(*) = o.count) m
		WHERE v.tenant = m.tenant AND v.id = m.id AND v.over_at IS NULL`, l.now, heardByAnother, accusing())
	if err != nil {
		return fmt.Errorf("ending the verdicts on hosts that others serve: %w", err)
	}
	return nil
}

// accusing lists the kinds that take their hosts down.
func accusing() (all []string) {
	for _, k := range kinds {
		if _, follows := uplink.VerdictKind(k).HostState(); follows {
			all = append(all, k)
		}
	}
	return all
}
