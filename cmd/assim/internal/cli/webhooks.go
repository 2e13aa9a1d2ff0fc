package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"assimilation/api"
	"assimilation/cmd/assim/internal/client"
	"assimilation/cmd/assim/internal/output"
)

var (
	webhookColumns  = []string{"name", "url", "types", "state", "waiting", "failures", "sent", "sent_at", "problem", "id"}
	deliveryColumns = []string{"event", "type", "at", "state", "tries", "next_at", "last_try.at", "last_try.status", "last_try.took_ms", "last_try.problem"}
)

func (s *session) webhook() *cobra.Command {
	return group("webhook", "Have addresses of yours called when something happens",
		s.webhooks(), s.createWebhook(), s.setWebhook(), s.showWebhook(), s.testWebhook(), s.rotateWebhook(), s.deliveries(), s.delivery(), s.redeliver(), s.removeWebhook())
}

func (s *session) webhooks() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List webhooks, what waits for each, and how it does", Args: arguments(0, 0),
		Example: `  assim webhook list
  assim webhook list -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/webhooks", nil, 0, webhookColumns)
		},
	}
}

// webhookFlags are the settings of a webhook as flags say them.
type webhookFlags struct {
	url, site string
	types     []string
	off       bool
}

func (f *webhookFlags) add(cmd *cobra.Command) *cobra.Command {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "", "https://host/path that is called; a public address")
	flags.StringSliceVar(&f.types, "types", nil, "types of events, or what is before their first dot: verdict, host, relay, refusal (default all)")
	flags.StringVar(&f.site, "site", "", "the id of the only site that it is told of")
	flags.BoolVar(&f.off, "off", false, "call nobody for now")
	cmd.MarkFlagRequired("url")
	return cmd
}

// body is the request's.
func (f *webhookFlags) body(name string) (in api.WebhookSettings, err error) {
	in = api.WebhookSettings{Name: name, Url: f.url, Off: &f.off}
	if len(f.types) > 0 {
		in.Types = &f.types
	}
	if f.site != "" {
		id, err := idOf("site", f.site)
		if err != nil {
			return in, err
		}
		in.SiteId = &id
	}
	return in, nil
}

func (s *session) createWebhook() *cobra.Command {
	var f webhookFlags
	return f.add(&cobra.Command{
		Use: "create NAME", Short: "Have an address called for what happens from now on; the secret is shown this once", Args: arguments(1, 1),
		Example: `  assim webhook create pager --url https://hooks.example.org/assimilation --types verdict
  assim webhook create all --url https://hooks.example.org/all -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := f.body(args[0])
			if err != nil {
				return err
			}
			return s.request(cmd, []string{"id", "name", "url", "types", "secret"}, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.CreateWebhook(ctx, in)
			})
		},
	})
}

func (s *session) setWebhook() *cobra.Command {
	var f webhookFlags
	return f.add(&cobra.Command{
		Use: "set ID NAME", Short: "Say all settings of a webhook anew, or turn it on again; the secret stays", Args: arguments(2, 2),
		Example: `  assim webhook set 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52 pager --url https://hooks.example.org/assimilation --types verdict,host`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := f.body(args[1])
			if err != nil {
				return err
			}
			return s.send(cmd, "the webhook is changed", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.SetWebhook(ctx, args[0], in)
			})
		},
	})
}

func (s *session) showWebhook() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a webhook, without its secret", Args: arguments(1, 1),
		Example: `  assim webhook show 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.request(cmd, webhookColumns, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.GetWebhook(ctx, args[0])
			})
		},
	}
}

func (s *session) testWebhook() *cobra.Command {
	return &cobra.Command{
		Use: "test ID", Short: "Send a message of the type webhook.test now, and hear what comes back", Args: arguments(1, 1),
		Example: `  assim webhook test 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			var outcome struct {
				Taken   bool
				Status  int
				TookMS  int64 `json:"took_ms"`
				Problem string
			}
			if err := client.Of(service.API.TestWebhook(cmd.Context(), args[0])).Into(&outcome); err != nil {
				return err
			}
			if !outcome.Taken {
				return errors.New("it was not taken: " + output.Printable(outcome.Problem))
			}
			fmt.Fprintf(s.out, "it was taken: answered %d after %d ms\n", outcome.Status, outcome.TookMS)
			return nil
		},
	}
}

func (s *session) rotateWebhook() *cobra.Command {
	return &cobra.Command{
		Use: "rotate ID", Short: "Make another secret, shown this once; the one before signs along for 24 hours", Args: arguments(1, 1),
		Example: `  assim webhook rotate 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.request(cmd, []string{"secret"}, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RotateWebhookSecret(ctx, args[0])
			})
		},
	}
}

func (s *session) deliveries() *cobra.Command {
	var state string
	var limit int
	cmd := &cobra.Command{
		Use: "deliveries ID", Short: "List messages and what became of them, the newest event first", Args: arguments(1, 1),
		Example: `  assim webhook deliveries 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52 --state failed`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.list(cmd, webhookPath(args[0])+"/deliveries", filled("state", state), limit, deliveryColumns)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only those: waiting, delivered, failed")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this many (0: all)")
	return cmd
}

func (s *session) delivery() *cobra.Command {
	return &cobra.Command{
		Use: "delivery ID EVENT", Short: "Show one message with its body and its tries", Args: arguments(2, 2),
		Example: `  assim webhook delivery 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52 4711 -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			event, err := eventOf(args[1])
			if err != nil {
				return err
			}
			return s.request(cmd, []string{"id", "type", "at", "state", "tries", "all_tries", "body"}, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.GetWebhookDelivery(ctx, args[0], event)
			})
		},
	}
}

func (s *session) redeliver() *cobra.Command {
	return &cobra.Command{
		Use: "redeliver ID EVENT", Short: "Send a message again, under the same webhook-id", Args: arguments(2, 2),
		Example: `  assim webhook redeliver 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52 4711`,
		RunE: func(cmd *cobra.Command, args []string) error {
			event, err := eventOf(args[1])
			if err != nil {
				return err
			}
			return s.send(cmd, "the message is sent again", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RedeliverWebhook(ctx, args[0], event)
			})
		},
	}
}

func (s *session) removeWebhook() *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Call it no more; what waits is not sent", Args: arguments(1, 1),
		Example: `  assim webhook remove 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, "the webhook is removed", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RemoveWebhook(ctx, args[0])
			})
		},
	}
}

func webhookPath(id string) string { return "/v1/webhooks/" + url.PathEscape(id) }

// eventOf reads the number of an event.
func eventOf(text string) (int64, error) {
	event, err := strconv.ParseInt(text, 10, 64)
	if err != nil || event < 1 {
		return 0, usageError{fmt.Errorf("%q is not the number of an event", text)}
	}
	return event, nil
}
