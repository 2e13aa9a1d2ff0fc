package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/client"
	"assimilation/cmd/assim/internal/output"
)

var eventColumns = []string{"seen_at", "type", "host", "site", "summary"}

func (s *session) events() *cobra.Command {
	var host, site, kind string
	var since time.Duration
	var limit int
	var follow bool
	cmd := &cobra.Command{
		Use: "events", Short: "What happened to hosts, relays and enrolments, newest first", Args: arguments(0, 0),
		Long: `What happened to hosts, relays and enrolments: verdicts, refusals, comings and
goings. Times are the relays', so what a site tells late stands where it belongs.

With --follow, the newest few and then each event as it comes, oldest first, until
interrupted; the way to the service may break and come back meanwhile, nothing is
missed. JSON is one object a line then.`,
		Example: `  assim events
  assim events --host web1 --since 24h
  assim events --follow --type verdict
  assim events --follow --site paris -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := filled("host", host, "site", site, "type", kind)
			if since > 0 {
				q.Set("since", time.Now().Add(-since).UTC().Format(time.RFC3339))
			}
			if !follow {
				return s.list(cmd, "/v1/events", q, limit, eventColumns)
			}
			if !cmd.Flags().Changed("limit") {
				limit = followed
			}
			return s.follow(cmd.Context(), q, limit)
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "only this host and verdicts about it, by name or id")
	cmd.Flags().StringVar(&site, "site", "", "only this site, by name or id")
	cmd.Flags().StringVar(&kind, "type", "", "only this type, or those before its first dot: host, verdict, relay, refusal")
	cmd.Flags().DurationVar(&since, "since", 0, "how far to look back (0: as far as there is)")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this many (0: all); with --follow, to begin with: 10")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "print events as they come")
	return cmd
}

const (
	followed = 10 // events that --follow begins with
	perPage  = 1000
	// Waits before a broken stream is opened again.
	firstWait = time.Second
	longWait  = 10 * time.Second
)

// eventPage is an answer of /v1/events.
type eventPage struct {
	Items  []json.RawMessage `json:"items"`
	LastID int64             `json:"last_id"`
}

// follower prints events by their numbers: the live stream only says when to ask.
type follower struct {
	service *client.Client
	query   url.Values
	last    int64
	lines   *output.Lines
}

func (s *session) follow(ctx context.Context, q url.Values, limit int) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	f := &follower{service, q, 0, output.NewLines(s.out, s.format, eventColumns)}
	if err := f.begin(ctx, limit); err != nil {
		return err
	}
	f.query.Del("since")        // what is written from now on is wanted, however old
	wait, told := firstWait, "" // told: what was said of the service being away
	for {
		err := service.Stream(ctx, func(event string) error {
			if wait = firstWait; told != "" {
				fmt.Fprintln(s.err, "assim: the service answers again")
				told = ""
			}
			if event == client.Opened || event == "events" || event == "resync" {
				return f.catchUp(ctx)
			}
			return nil
		})
		var unreachable *client.Unreachable
		var problem *client.Problem
		switch {
		case ctx.Err() != nil:
			return nil // interrupted: that is how following ends
		case errors.As(err, &unreachable), errors.As(err, &problem) && problem.Status >= 429:
		default:
			return err
		}
		if now := output.Printable(err.Error()); now != told {
			fmt.Fprintf(s.err, "assim: %s; trying again until it answers\n", now)
			told = now
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		wait = min(2*wait, longWait)
	}
}

// begin prints the newest few, oldest first, and notes where to go on.
func (f *follower) begin(ctx context.Context, limit int) error {
	page, err := f.ask(ctx, "limit", strconv.Itoa(max(1, min(limit, perPage))))
	if err != nil {
		return err
	}
	f.last = page.LastID
	if limit == 0 {
		return nil
	}
	slices.Reverse(page.Items)
	return f.print(page.Items)
}

// catchUp prints what was written since the last event that was seen.
func (f *follower) catchUp(ctx context.Context) error {
	for {
		page, err := f.ask(ctx, "after", strconv.FormatInt(f.last, 10), "limit", strconv.Itoa(perPage))
		if err != nil {
			return err
		}
		if err := f.print(page.Items); err != nil {
			return err
		}
		if len(page.Items) < perPage {
			// Events that the filter leaves out need not be looked at again.
			f.last = max(f.last, page.LastID)
			return nil
		}
	}
}

func (f *follower) ask(ctx context.Context, more ...string) (page eventPage, err error) {
	q := filled(more...)
	for name, values := range f.query {
		q[name] = values
	}
	return page, f.service.Do(ctx, http.MethodGet, "/v1/events", q, nil, &page)
}

func (f *follower) print(items []json.RawMessage) error {
	for _, item := range items {
		var event struct {
			ID int64 `json:"id"`
		}
		if err := json.Unmarshal(item, &event); err != nil {
			return fmt.Errorf("reading an event: %w", err)
		}
		if err := f.lines.Print(item); err != nil {
			return err
		}
		f.last = max(f.last, event.ID)
	}
	return nil
}
