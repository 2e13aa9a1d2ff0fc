package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

// follow prints the newest few events, oldest first, and then those of the feed. The
// service tells those of the time that the way to it was broken.
func (s *session) follow(ctx context.Context, q url.Values, limit int) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	first := url.Values{"limit": {strconv.Itoa(max(1, min(limit, perPage)))}}
	maps.Copy(first, q)
	var page eventPage
	if err := service.Do(ctx, http.MethodGet, "/v1/events", first, nil, &page); err != nil {
		return err
	}
	lines := output.NewLines(s.out, s.format, eventColumns)
	slices.Reverse(page.Items)
	for _, item := range page.Items[:min(limit, len(page.Items))] {
		if err := lines.Print(item); err != nil {
			return err
		}
	}
	q.Del("since") // what is written from now on is wanted, however old
	last := strconv.FormatInt(page.LastID, 10)
	wait, told := firstWait, "" // told: what was said of the service being away
	for {
		err := service.Stream(ctx, "/v1/events/stream", q, last, func(e client.Event) error {
			if wait = firstWait; told != "" {
				fmt.Fprintln(s.err, "assim: the service answers again")
				told = ""
			}
			if err := s.printEvent(lines, e); err != nil {
				return err
			}
			last = e.ID
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

// printEvent prints an event of the feed, or says what is missing.
func (s *session) printEvent(lines *output.Lines, e client.Event) error {
	switch {
	case e.Name == "gap":
		var gap struct{ Reason string }
		if err := json.Unmarshal([]byte(e.Data), &gap); err != nil {
			return fmt.Errorf("reading the feed: %w", err)
		}
		fmt.Fprintln(s.err, "assim: events are missing here:", output.Printable(gap.Reason))
	case e.Name == "" && e.Data != "":
		return lines.Print(json.RawMessage(e.Data))
	}
	return nil
}
