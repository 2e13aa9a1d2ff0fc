package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"assimilation/relay/internal/notify"
)

// notifyFlags say how people at the site are told. The webhook's secret has no
// flag: arguments can be read by every user of a host.
func (o *options) notifyFlags(c *cobra.Command) {
	config := &o.config.Notify
	config.WebhookSecret = os.Getenv("ASSIM_NOTIFY_WEBHOOK_SECRET")
	for _, f := range []struct {
		target           *string
		flag, env, usage string
	}{
		{&config.Exec, "notify-exec", "ASSIM_NOTIFY_EXEC", "absolute path of a program to run for each verdict"},
		{&config.Webhook, "notify-webhook", "ASSIM_NOTIFY_WEBHOOK", "URL to post each verdict to"},
		{&config.Syslog, "notify-syslog", "ASSIM_NOTIFY_SYSLOG", "udp://host:514, tcp://host:601, unixgram:///path or local"},
		{&config.SMTP, "notify-smtp", "ASSIM_NOTIFY_SMTP", "smtp[s]://user@host:port?from=address&to=address"},
	} {
		// The default shown is none: what the environment says may hold a password.
		c.Flags().StringVar(f.target, f.flag, "", f.usage)
		fromEnvironment(f.target, f.env)
	}
}

func notifyTestCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "notify-test", Short: "Send a test notification through every channel", Args: noArguments,
		Long: `Sends a test notification through every channel that is configured, once, and says what
became of it. It does not need a relay that runs. Exit code 1: a channel failed, or there is none.`,
		Example: `  ASSIM_NOTIFY_SYSLOG=local assim-relay notify-test
  assim-relay notify-test --notify-exec /etc/assim/notify.sh -o json`,
	}
	c.Flags().StringVar(&o.config.Name, "name", o.config.Name, "by which people know this relay")
	o.notifyFlags(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.config.Notify.Relay = o.config.Name
		notifier, err := notify.New(o.config.Notify, o.log())
		if err != nil {
			return &exit{exitUsage, err}
		}
		return o.testNotifier(c.Context(), notifier)
	}
	return c
}

func (o *options) testNotifier(ctx context.Context, notifier *notify.Notifier) error {
	type line struct {
		Channel      string `json:"channel"`
		OK           bool   `json:"ok"`
		Milliseconds int64  `json:"milliseconds"`
		Error        string `json:"error,omitempty"`
	}
	lines, failed := []line{}, 0
	for _, outcome := range notifier.Test(ctx, time.Now()) {
		l := line{Channel: outcome.Channel, OK: outcome.Err == nil, Milliseconds: outcome.Took.Milliseconds()}
		if !l.OK {
			l.Error = outcome.Err.Error()
			failed++
		}
		lines = append(lines, l)
	}
	if o.output == "json" {
		if err := o.printJSON(lines); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
		for _, l := range lines {
			verdict := "told"
			if !l.OK {
				verdict = "FAILED"
			}
			fmt.Fprintf(w, "%s\t%s\t%d ms\t%s\n", l.Channel, verdict, l.Milliseconds, escaped(l.Error))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	switch {
	case len(lines) == 0:
		return errors.New("no channel is configured: set ASSIM_NOTIFY_EXEC, ASSIM_NOTIFY_WEBHOOK, ASSIM_NOTIFY_SYSLOG or ASSIM_NOTIFY_SMTP")
	case failed > 0:
		return fmt.Errorf("%d of %d channels failed", failed, len(lines))
	}
	return nil
}
