package sites

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// Pending is a probe that announces itself at a site and is not enrolled there.
type Pending struct {
	Fingerprint string    `json:"fingerprint" doc:"SHA-256 of its key, hexadecimal, as assim-probe status shows it"`
	Address     string    `json:"address" doc:"where its relay hears it from"`
	Reason      string    `json:"reason,omitempty" doc:"why it is refused; absent where it has no token"`
	Relay       string    `json:"relay" doc:"name of the relay that hears it"`
	First       time.Time `json:"first_seen_at"`
	Last        time.Time `json:"last_seen_at"`
}

// pendingRows is how a relay's row keeps them.
func pendingRows(list []uplink.Pending) []Pending {
	rows := make([]Pending, len(list))
	for i, p := range list {
		rows[i] = Pending{
			Fingerprint: hex.EncodeToString(p.Fingerprint), Address: p.Address, First: time.UnixMilli(p.First).UTC(), Last: time.UnixMilli(p.Last).UTC(),
		}
		if p.Reason != wire.Accepted {
			rows[i].Reason = p.Reason.String()
		}
	}
	return rows
}

// PendingAt lists the probes that wait at a site, by relay. Nothing of it is proved:
// anybody on the site's network can announce anything.
func (s *Service) PendingAt(ctx context.Context, tenant tenancy.TenantID, siteRef string) (pending []Pending, err error) {
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		site, err := find(ctx, tx, siteRef)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT name, pending FROM assim.relays WHERE site = $1 AND revoked_at IS NULL AND seen_at > $2 AND pending <> '[]' ORDER BY created_at, id LIMIT $3`,
			site.ID, time.Now().Add(-silentAfter), uplink.MaxRelays)
		if err != nil {
			return fmt.Errorf("listing pending probes: %w", err)
		}
		var relay string
		var encoded []byte
		_, err = pgx.ForEachRow(rows, []any{&relay, &encoded}, func() error {
			var heard []Pending
			if err := json.Unmarshal(encoded, &heard); err != nil {
				return fmt.Errorf("stored pending probes of relay %s: %w", relay, err)
			}
			for i := range heard {
				heard[i].Relay = relay
			}
			pending = append(pending, heard...)
			return nil
		})
		if err != nil {
			return fmt.Errorf("listing pending probes: %w", err)
		}
		return nil
	})
	return pending, err
}

func (s *Service) registerPending(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-pending", Method: http.MethodGet, Path: "/v1/sites/{site}/pending", Metadata: web.Needs(tenancy.Read), Tags: []string{"sites"},
		Summary: "Probes that announce themselves at a site and are not enrolled, as its relays said last; nothing of it is proved",
	}, func(ctx context.Context, in *InSite) (*list[Pending], error) {
		pending, err := s.PendingAt(ctx, web.ActorFrom(ctx).Tenant, in.Site)
		if err != nil {
			return nil, err
		}
		return listOf(pending, ""), nil
	})
}
