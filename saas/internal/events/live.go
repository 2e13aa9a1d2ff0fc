package events

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
)

const (
	// maxReplay is how many events a client that was away is told one by one; of what
	// was before them it is told that there is a gap.
	maxReplay = 10_000
	perChunk  = 500
)

// Live adds the feed, which goes on where its client was.
func (s *Service) Live(w *web.Web) {
	web.Live(w, huma.Operation{
		OperationID: "stream-events", Path: "/v1/events/stream", Tags: []string{"events", "live"}, Summary: "What happens, as it happens, without a gap",
		Description: "Server-sent events: data is an event as GET /v1/events shows it, id its number. A client that comes back with Last-Event-ID is told what was written since, " +
			"each once, in the order of writing; of more than 10000 events the newest, after one named gap whose data says which are missing (after, before). " +
			"Without Last-Event-ID and after, it begins with now. A comment is sent every 15 seconds.",
	}, func(ctx context.Context, in *struct {
		Host  string `query:"host" maxLength:"255" doc:"id or name; of a verdict's event, any of its hosts"`
		Site  string `query:"site" maxLength:"100" doc:"id or name"`
		Type  string `query:"type" maxLength:"64" doc:"a type, or the part before its first dot: host, verdict, relay, refusal, webhook"`
		After int64  `query:"after" minimum:"-1" default:"-1" example:"4711" doc:"begin after the event of this id; -1: with now. Last-Event-ID goes before"`
		Last  string `header:"Last-Event-ID" maxLength:"20" example:"4711" doc:"id of the last event that was heard"`
	}) (web.Tell, error) {
		f := feed{service: s, actor: web.ActorFrom(ctx), filter: Filter{Host: web.Text(in.Host), Site: web.Text(in.Site), Type: web.Text(in.Type), After: in.After, Limit: perChunk}}
		if in.Last != "" {
			id, err := strconv.ParseInt(in.Last, 10, 64)
			if err != nil || id < 0 {
				return nil, huma.Error422UnprocessableEntity("Last-Event-ID is not the id of an event")
			}
			f.filter.After = id
		}
		return f.tell, nil
	})
}

// feed is what one client is told. Filter.After is where it is.
type feed struct {
	service *Service
	actor   web.Actor
	filter  Filter
	begun   bool
}

func (f *feed) tell(ctx context.Context, topics []web.Topic) (text string, more bool, err error) {
	for _, t := range topics {
		if t == web.Events || t == web.Resync {
			topics = nil
			break
		}
	}
	if len(topics) > 0 {
		return "", false, nil // of other things
	}
	var b strings.Builder
	err = f.service.DB.Read(ctx, f.actor.Tenant, func(tx pgx.Tx) error {
		if !f.begun {
			if err := f.begin(ctx, tx, &b); err != nil {
				return err
			}
		}
		page, err := list(ctx, tx, f.filter)
		if err != nil {
			return fmt.Errorf("reading events: %w", err)
		}
		for _, e := range page.Items {
			data, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("writing event %d: %w", e.ID, err)
			}
			fmt.Fprintf(&b, "id: %d\ndata: %s\n\n", e.ID, data)
			f.filter.After = e.ID
		}
		// Those that the filter leaves out need not be looked at again.
		if more = len(page.Items) == perChunk; !more && page.LastID > f.filter.After {
			f.filter.After = page.LastID
			fmt.Fprintf(&b, "id: %d\n\n", page.LastID)
		}
		return nil
	})
	f.begun = f.begun || err == nil
	return b.String(), more, err
}

// begin finds where the client goes on, and says what it will not be told.
func (f *feed) begin(ctx context.Context, tx pgx.Tx, b *strings.Builder) error {
	var last int64
	if err := tx.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM assim.events`).Scan(&last); err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	switch {
	case f.filter.After == newestFirst:
		f.filter.After = last
		fmt.Fprintf(b, "id: %d\n\n", last)
		return nil
	case f.filter.After > last: // of another service, or from before its database was restored
		writeGap(b, last, f.filter.After, last+1, "no event has this id: the service may have been restored from a backup")
		f.filter.After = last
		return nil
	}
	var from int64 // the newest of what is too much
	found, err := first(ctx, tx, &from, `SELECT id FROM assim.events WHERE id > $1 ORDER BY id DESC OFFSET $2 LIMIT 1`, f.filter.After, maxReplay)
	if err != nil || !found {
		return err
	}
	writeGap(b, from, f.filter.After, from+1, fmt.Sprintf("more than %d events were missed; read the others by GET /v1/events?after=%d", maxReplay, f.filter.After))
	f.filter.After = from
	return nil
}

// writeGap says that events between two ids, without these, are not told.
func writeGap(b *strings.Builder, id, after, before int64, reason string) {
	data, err := json.Marshal(struct {
		After  int64  `json:"after"`
		Before int64  `json:"before"`
		Reason string `json:"reason"`
	}{after, before, reason})
	if err != nil {
		return // numbers and text only
	}
	fmt.Fprintf(b, "id: %d\nevent: gap\ndata: %s\n\n", id, data)
}
