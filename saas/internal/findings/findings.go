// Package findings lists what is wrong with hosts and what they report: facts
// that were refused, rights that a probe lacks.
package findings

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
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

// Finding is one violated rule at one subject of a host.
type Finding struct {
	Host     string         `json:"host" doc:"name"`
	HostID   tenancy.HostID `json:"host_id" format:"uuid"`
	Rule     string         `json:"rule"`
	Subject  string         `json:"subject" doc:"what it is about: kind/instance of a fact"`
	Detail   string         `json:"detail"`
	OpenedAt time.Time      `json:"opened_at"`
	ClosedAt *time.Time     `json:"closed_at,omitempty"`
}

// Filter chooses findings.
type Filter struct {
	Host   string // id or name; "" all
	All    bool   // closed ones too
	Cursor string
	Limit  int
}

// Register adds the REST operation.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-findings", Method: http.MethodGet, Path: "/v1/findings", Metadata: web.Needs(tenancy.Read), Tags: []string{"findings"},
		Summary: "What is wrong with hosts and their facts, newest first",
	}, func(ctx context.Context, in *struct {
		Host   string `query:"host" maxLength:"255" doc:"id or name"`
		All    bool   `query:"all" doc:"closed ones too"`
		Cursor string `query:"cursor" maxLength:"1024"`
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}) (*web.Answer[web.List[Finding]], error) {
		return web.Listed(s.List(ctx, web.ActorFrom(ctx), Filter{web.Text(in.Host), in.All, in.Cursor, in.Limit}))
	})
}

// List returns a page of findings, newest first.
func (s *Service) List(ctx context.Context, a web.Actor, f Filter) (items []Finding, next string, err error) {
	after, err := parseCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT coalesce(h.name, ''), f.host, f.rule, f.subject, f.detail, f.opened_at, f.closed_at
			FROM assim.findings f LEFT JOIN assim.hosts h ON h.tenant = f.tenant AND h.id = f.host
			WHERE ($1 = '' OR h.id = assim.as_id($1) OR h.name_lower = lower($1)) AND ($2 OR f.closed_at IS NULL)
			  AND ($3::timestamptz IS NULL OR (f.opened_at, f.host::text, f.rule, f.subject) < ($3, $4, $5, $6))
			ORDER BY f.opened_at DESC, f.host::text DESC, f.rule DESC, f.subject DESC LIMIT $7`,
			f.Host, f.All, after.openedAt, after.host, after.rule, after.subject, f.Limit+1)
		if err != nil {
			return err
		}
		items, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Finding])
		return err
	})
	for i := range items {
		items[i].OpenedAt = items[i].OpenedAt.UTC()
		if c := items[i].ClosedAt; c != nil {
			utc := c.UTC()
			items[i].ClosedAt = &utc
		}
	}
	if len(items) > f.Limit {
		items = items[:f.Limit]
		next = makeCursor(items[f.Limit-1])
	}
	return items, next, err
}

// position is where a page ended; a nil time is the beginning.
type position struct {
	openedAt            *time.Time
	host, rule, subject string
}

func makeCursor(f Finding) string {
	parts := []string{f.OpenedAt.Format(time.RFC3339Nano), f.HostID.String(), f.Rule, f.Subject}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "\n")))
}

func parseCursor(s string) (position, error) {
	if s == "" {
		return position{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		if parts := strings.SplitN(web.Text(string(raw)), "\n", 4); len(parts) == 4 {
			if t, err := time.Parse(time.RFC3339Nano, parts[0]); err == nil {
				return position{&t, parts[1], parts[2], parts[3]}, nil
			}
		}
	}
	return position{}, web.BadCursor()
}
