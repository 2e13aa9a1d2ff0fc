package sites

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

// Service is the feature; every field is required.
type Service struct {
	DB      *store.DB
	Keys    *keys.Master
	Channel *relaychan.Channel
	Hub     *web.Hub
	Log     *slog.Logger
	URL     *url.URL // public address of the service, as relays reach it
	// Verdicts shows what is wrong at a site now, Happened its latest events.
	Verdicts, Happened func(ctx context.Context, tx pgx.Tx, site tenancy.SiteID) (templ.Component, error)
	// FewHosts shows the hosts of a site that has no more than a limit.
	FewHosts func(ctx context.Context, tx pgx.Tx, site tenancy.SiteID, limit int) (templ.Component, error)
	// ForgetTopology is called when a site's topology may no longer be stored.
	ForgetTopology Forgetter
	// Questions are told to the relay with its orders.
	Questions Questions
	// Programs lists what relays may hand out to hosts.
	Programs func() ([]uplink.Program, error)
}

// Page is a part of a list: at most Limit items behind the one whose id is
// Cursor.
type Page struct {
	Limit  int
	Cursor string
}

// given refuses a cursor that the list did not give: nothing stands behind it, which
// would look like the end. found selects the item of the id $1.
func given(ctx context.Context, tx pgx.Tx, cursor, found string, args ...any) error {
	if cursor == "" {
		return nil
	}
	var known bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (`+found+`)`, append([]any{web.Text(cursor)}, args...)...).Scan(&known)
	switch {
	case err != nil:
		return fmt.Errorf("looking up a cursor: %w", err)
	case !known:
		return web.BadCursor()
	}
	return nil
}

// cut takes the extra item that was asked for off a page, and names the cursor
// of the next.
func cut[T any](items []T, limit int, id func(T) string) (page []T, next string) {
	if len(items) <= limit {
		return items, ""
	}
	return items[:limit], id(items[limit-1])
}

// publicURL is the address without a slash at its end.
func (s *Service) publicURL() string { return strings.TrimSuffix(s.URL.String(), "/") }

// ordersChanged makes the relays of a site ask for orders anew.
func ordersChanged(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, site tenancy.SiteID) error {
	if _, err := tx.Exec(ctx, `UPDATE assim.sites SET orders_revision = orders_revision + 1 WHERE id = $1`, site); err != nil {
		return fmt.Errorf("raising the orders revision of site %s: %w", site, err)
	}
	return allowance.Notify(ctx, tx, tenant)
}

// tenantOrdersChanged does so for all sites: they hear of each other's tokens.
func tenantOrdersChanged(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) error {
	if _, err := tx.Exec(ctx, `UPDATE assim.sites SET orders_revision = orders_revision + 1 WHERE tenant = $1`, tenant); err != nil {
		return fmt.Errorf("raising the orders revisions: %w", err)
	}
	return allowance.Notify(ctx, tx, tenant)
}

func record(ctx context.Context, tx pgx.Tx, actor web.Actor, action, object string, detail map[string]string) error {
	return audit.Write(ctx, tx, actor.Tenant, audit.Entry{Actor: actor.Name(), Action: action, Object: object, Detail: detail})
}

// event is one row of assim.events.
type event struct {
	kind   string
	site   *tenancy.SiteID
	relay  *tenancy.RelayID
	detail map[string]string
}

// put writes the event, unless the same is among the latest and younger than a
// minute: who retries every few seconds is news once.
func (e event) put(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) error {
	detail, err := json.Marshal(e.detail)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		WITH latest AS (SELECT at, type, detail FROM assim.events WHERE tenant = $1 ORDER BY id DESC LIMIT 100),
		written AS (
			INSERT INTO assim.events (tenant, at, seen_at, type, site, relay, detail)
			SELECT $1, t.now, t.now, $2, $3, $4, $5 FROM (SELECT clock_timestamp() AS now) t
			WHERE NOT EXISTS (SELECT FROM latest WHERE at > now() - interval '1 minute' AND type = $2 AND detail = $5)
			RETURNING 1)
		SELECT pg_notify('assim', $6) FROM written`, tenant, e.kind, e.site, e.relay, detail, tenant.String()+" events")
	if err != nil {
		return fmt.Errorf("recording the event %s: %w", e.kind, err)
	}
	return nil
}

// notFound turns the absence of a row into the answer for people.
func notFound(err error, what string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return huma.Error404NotFound("no such " + what)
	}
	return err
}

func isDuplicate(err error) bool {
	violation, ok := errors.AsType[*pgconn.PgError](err)
	return ok && violation.Code == "23505"
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
