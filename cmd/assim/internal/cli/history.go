package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// changesShown bounds a list of changes unless another bound is given.
const changesShown = 200

func (s *session) changes() *cobra.Command {
	var host, kind, near string
	var hops, limit int
	since := moment{at: time.Now().Add(-24 * time.Hour), text: "24h"}
	var until moment
	cmd := &cobra.Command{
		Use: "changes", Short: "What changed, newest first; or near a host, nearest first", Args: arguments(0, 0),
		Long: `What changed on hosts, newest first.

With --near, what changed on a host, on those that depend on it and on those
that it depends on, through up to --hops dependencies: the nearest first, and
of each the newest. Ask this when something broke.`,
		Example: `  assim changes
  assim changes --host web1 --kind packages --since 1w
  assim changes --near web1 --hops 2 --since 2h
  assim changes --since yesterday --until today -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := filled("host", host, "kind", kind, "near", near, "since", since.query(), "until", until.query())
			columns := []string{"seen_at", "host", "kind", "instance", "summary"}
			if near != "" {
				q.Set("hops", strconv.Itoa(hops))
				columns = append([]string{"distance"}, columns...)
			}
			return s.list(cmd, "/v1/changes", q, limit, columns)
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "only this host, by name or id")
	cmd.Flags().StringVar(&kind, "kind", "", "only facts of this kind")
	cmd.Flags().StringVar(&near, "near", "", "only this host and what is near it, by name or id")
	cmd.Flags().IntVar(&hops, "hops", 2, "how many dependencies away --near reaches, at most 4")
	cmd.Flags().Var(&since, "since", "from this time on"+momentHelp)
	cmd.Flags().Var(&until, "until", "before this time")
	cmd.Flags().IntVar(&limit, "limit", changesShown, "at most this many (0: all)")
	return cmd
}

func (s *session) diff() *cobra.Command {
	var host, kind string
	var limit int
	var from, to moment
	cmd := &cobra.Command{
		Use: "diff --from TIME [--to TIME]", Short: "What differs between two times", Args: arguments(0, 0),
		Long: `What differs between two times, by host. What changed and changed back does
not differ; changes lists each step.`,
		Example: `  assim diff --from yesterday --to today
  assim diff --from 2h --host web1
  assim diff --from "2026-01-31 22:00" --to "2026-02-01 06:00" --kind packages -o csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := filled("from", from.query(), "to", to.query(), "host", host, "kind", kind)
			return s.list(cmd, "/v1/diff", q, limit, []string{"host", "kind", "instance", "op", "summary"})
		},
	}
	cmd.Flags().Var(&from, "from", "the earlier time"+momentHelp)
	cmd.Flags().Var(&to, "to", "the later time (default now)")
	cmd.Flags().StringVar(&host, "host", "", "only this host, by name or id")
	cmd.Flags().StringVar(&kind, "kind", "", "only facts of this kind")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most this many (0: all)")
	cmd.MarkFlagRequired("from")
	return cmd
}
