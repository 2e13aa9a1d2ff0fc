// Package events lists what happened that is not a fact: hosts enrolled, went
// silent, came back; enrolments and facts were refused; relays started.
package events

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service is the feature. All fields are required.
type Service struct {
	DB *store.DB
}

// Event is one thing that happened.
type Event struct {
	ID      int64           `json:"id"`
	SeenAt  time.Time       `json:"seen_at" doc:"by the relay's clock"`
	At      time.Time       `json:"at" doc:"when it was written here"`
	Type    string          `json:"type"`
	Host    string          `json:"host" doc:"name, or empty"`
	HostID  *tenancy.HostID `json:"host_id,omitempty" format:"uuid"`
	Relay   string          `json:"relay" doc:"name, or empty"`
	Site    string          `json:"site" doc:"name, or empty"`
	Detail  json.RawMessage `json:"detail"`
	Summary string          `json:"summary"`
}

// Filter chooses events.
type Filter struct {
	Host   string // id or name; "" all
	Type   string // of this type, or beginning with "type."
	Cursor string
	Limit  int
}

// Register adds the REST operation.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: "/v1/events", Metadata: web.Needs(tenancy.Viewer), Tags: []string{"events"},
		Summary: "What happened to hosts, relays and enrolments, newest first",
	}, func(ctx context.Context, in *struct {
		Host   string `query:"host" maxLength:"255" doc:"id or name"`
		Type   string `query:"type" maxLength:"64" doc:"a type, or the part before its first dot: host, relay, refusal"`
		Cursor string `query:"cursor" maxLength:"32"`
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}) (*web.Answer[web.List[Event]], error) {
		return web.Listed(s.List(ctx, web.ActorFrom(ctx), Filter{web.Text(in.Host), web.Text(in.Type), in.Cursor, in.Limit}))
	})
}

// List returns a page of events, newest first.
func (s *Service) List(ctx context.Context, a web.Actor, f Filter) (items []Event, next string, err error) {
	var before int64
	if f.Cursor != "" {
		if before, err = strconv.ParseInt(f.Cursor, 10, 64); err != nil || before <= 0 {
			return nil, "", web.BadCursor()
		}
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		// The planner sees the ids, or no condition at all: for either it has an index.
		var hosts []string
		byHost := `$1::uuid[] IS NULL`
		if f.Host != "" {
			if hosts, err = hostsNamed(ctx, tx, f.Host); err != nil || len(hosts) == 0 {
				return err
			}
			byHost = `e.host = ANY ($1::uuid[])`
		}
		rows, err := tx.Query(ctx, `
			SELECT e.id, e.seen_at, e.at, e.type, coalesce(h.name, ''), e.host, coalesce(r.name, ''), coalesce(s.name, ''), e.detail
			FROM assim.events e
			LEFT JOIN assim.hosts h ON h.tenant = e.tenant AND h.id = e.host
			LEFT JOIN assim.relays r ON r.tenant = e.tenant AND r.id = e.relay
			LEFT JOIN assim.sites s ON s.tenant = e.tenant AND s.id = e.site
			WHERE `+byHost+`
			  AND ($2 = '' OR e.type = $2 OR starts_with(e.type, $2 || '.'))
			  AND ($3::bigint = 0 OR e.id < $3::bigint)
			ORDER BY e.id DESC LIMIT $4`, hosts, f.Type, before, f.Limit+1)
		if err != nil {
			return err
		}
		items, err = pgx.CollectRows(rows, scan)
		return err
	})
	if len(items) > f.Limit {
		items = items[:f.Limit]
		next = strconv.FormatInt(items[f.Limit-1].ID, 10)
	}
	return items, next, err
}

// hostsNamed returns the ids of the hosts that have the id or the name.
func hostsNamed(ctx context.Context, tx pgx.Tx, ref string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id::text FROM assim.hosts WHERE id::text = $1 OR lower(name) = lower($1)`, ref)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func scan(row pgx.CollectableRow) (Event, error) {
	var e Event
	err := row.Scan(&e.ID, &e.SeenAt, &e.At, &e.Type, &e.Host, &e.HostID, &e.Relay, &e.Site, &e.Detail)
	e.SeenAt, e.At = e.SeenAt.UTC(), e.At.UTC()
	e.Summary = summary(e.Type, e.Detail)
	return e, err
}
