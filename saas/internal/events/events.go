// Package events lists what happened that is not a fact: hosts enrolled, went
// silent, came back; verdicts opened and ended; enrolments and facts were
// refused; relays started.
package events

import (
	"context"
	"encoding/json"
	"net/http"
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
	ID        int64              `json:"id" doc:"rises in the order in which events were written here"`
	SeenAt    time.Time          `json:"seen_at" doc:"by the relay's clock"`
	At        time.Time          `json:"at" doc:"when it was written here"`
	Type      string             `json:"type"`
	Host      string             `json:"host" doc:"name, or empty"`
	HostID    *tenancy.HostID    `json:"host_id,omitempty" format:"uuid"`
	Relay     string             `json:"relay" doc:"name, or empty"`
	Site      string             `json:"site" doc:"name, or empty"`
	SiteID    *tenancy.SiteID    `json:"site_id,omitempty" format:"uuid"`
	VerdictID *tenancy.VerdictID `json:"verdict_id,omitempty" format:"uuid" doc:"the verdict that it tells of"`
	Detail    json.RawMessage    `json:"detail"`
	Summary   string             `json:"summary"`
}

// Filter chooses events. Empty fields choose all.
type Filter struct {
	Host   string    // id or name: its own, and those of verdicts about it
	Site   string    // id or name
	Type   string    // of this type, or beginning with "type."
	Since  time.Time // by the relay's clock
	Before time.Time // the same; zero is no bound
	After  int64     // follow: what was written after this id, in that order; -1: newest first
	Cursor string    // of the newest first
	Limit  int
}

// newestFirst is the value of Filter.After for who looks back.
const newestFirst = -1

// Page is a part of the list.
type Page struct {
	Items      []Event `json:"items" nullable:"false"`
	NextCursor string  `json:"next_cursor,omitempty" doc:"cursor of the next page; absent on the last"`
	LastID     int64   `json:"last_id" doc:"of the event written last, whether shown or not: follow with after"`
}

// Register adds the REST operation.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: "/v1/events", Metadata: web.Needs(tenancy.Read), Tags: []string{"events"},
		Summary: "What happened to hosts, relays and enrolments, newest first",
		Description: "Sorted by the relays' clocks, newest first: what a site tells late stands where it belongs. With after, in the order of writing, oldest first: " +
			"ask again after the last id at each notice of the live stream, and nothing is missed.",
	}, func(ctx context.Context, in *struct {
		Host   string    `query:"host" maxLength:"255" doc:"id or name; of a verdict's event, any of its hosts"`
		Site   string    `query:"site" maxLength:"100" doc:"id or name"`
		Type   string    `query:"type" maxLength:"64" doc:"a type, or the part before its first dot: host, verdict, relay, refusal"`
		Since  time.Time `query:"since" doc:"only what happened since, by the relay's clock"`
		After  int64     `query:"after" minimum:"-1" default:"-1" example:"4711" doc:"only what was written after the event of this id, oldest first; -1: newest first"`
		Cursor string    `query:"cursor" maxLength:"48"`
		Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}) (*web.Answer[Page], error) {
		if in.After != newestFirst && in.Cursor != "" {
			return nil, huma.Error422UnprocessableEntity("after and cursor exclude each other")
		}
		page, err := s.List(ctx, web.ActorFrom(ctx), Filter{Host: web.Text(in.Host), Site: web.Text(in.Site), Type: web.Text(in.Type), Since: in.Since,
			After: in.After, Cursor: in.Cursor, Limit: in.Limit})
		return &web.Answer[Page]{Body: page}, err
	})
}

// List returns a page of events.
func (s *Service) List(ctx context.Context, a web.Actor, f Filter) (page Page, err error) {
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		page, err = list(ctx, tx, f)
		return err
	})
	return page, err
}
