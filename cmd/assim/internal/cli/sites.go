package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assimilation/api"
)

func (s *session) site() *cobra.Command {
	columns := []string{"name", "id", "hosts", "relays", "created_at"}
	list := &cobra.Command{
		Use: "list", Short: "List the sites", Args: arguments(0, 0),
		Example: `  assim site list
  assim site list -o csv`,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.list(cmd, "/v1/sites", nil, 0, columns) },
	}
	show := &cobra.Command{
		Use: "show SITE", Short: "Show one site, by name or id", Args: arguments(1, 1),
		Example: `  assim site show paris`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.one(cmd, "/v1/sites/"+url.PathEscape(args[0]), append(slices.Clone(columns), "location", "policy"))
		},
	}
	create := &cobra.Command{
		Use: "create NAME", Short: "Create a site, with a key of its own", Args: arguments(1, 1),
		Example: `  assim site create paris`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.request(cmd, columns, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.CreateSite(ctx, api.CreateSiteJSONRequestBody{Name: args[0]})
			})
		},
	}
	return group("site", "Places with their own network, relays and probes", list, show, create, s.siteSet([]string{"name", "id", "hosts", "relays", "policy"}), s.siteLocate(), s.siteInstallLine(), s.siteKey())
}

func (s *session) siteInstallLine() *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use: "install-line SITE", Short: "Show the lines that install probes, or a relay, at a site", Args: arguments(1, 1),
		Long: `Shows the shell commands that install probes, or a relay, at a site, the best first. Where a relay of the site
serves what is installed, hosts need reach nothing else. Put a token where the line says asm_...: a token is
shown once, when it is minted, together with these lines.`,
		Example: `  assim site install-line paris
  assim site install-line paris --kind relay
  assim token create --site paris --kind probe -o json | jq -r .install`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.list(cmd, "/v1/sites/"+url.PathEscape(args[0])+"/install-lines", filled("kind", kind), 0, []string{"from", "tool", "line"})
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "what is installed: probe or relay (default: probe)")
	return cmd
}

func (s *session) relay() *cobra.Command {
	var site string
	list := &cobra.Command{
		Use: "list", Short: "List the relays of a site", Args: arguments(0, 0),
		Example: `  assim relay list --site paris`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/sites/"+url.PathEscape(site)+"/relays", nil, 0,
				[]string{"name", "id", "version", "seen_at", "backlog", "revoked_at"})
		},
	}
	list.Flags().StringVar(&site, "site", "", "the site, by name or id")
	list.MarkFlagRequired("site")
	return group("relay", "Relays: one or more per site", list)
}

func (s *session) token() *cobra.Command {
	return group("token", "Tokens that enrol relays and probes", s.tokenList(), s.tokenCreate(), s.tokenRevoke())
}

func (s *session) tokenList() *cobra.Command {
	var site string
	cmd := &cobra.Command{
		Use: "list", Short: "List the tokens of a site, without their secrets", Args: arguments(0, 0),
		Example: `  assim token list --site paris`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/sites/"+url.PathEscape(site)+"/tokens", nil, 0,
				[]string{"id", "kind", "name", "state", "uses", "max_uses", "expires_at", "last_used_by"})
		},
	}
	cmd.Flags().StringVar(&site, "site", "", "the site, by name or id")
	cmd.MarkFlagRequired("site")
	return cmd
}

func (s *session) tokenCreate() *cobra.Command {
	var site, kind, name, address string
	var ttl time.Duration
	var uses int
	var labels []string
	cmd := &cobra.Command{
		Use: "create", Short: "Mint a token; it is shown this once", Args: arguments(0, 0),
		Example: `  assim token create --site paris --kind relay
  assim token create --site paris --kind probe --max-uses 50 --ttl 24h --label env=prod
  assim token create --site paris --kind probe -o json | jq -r .token > probe.token`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in := api.MintTokenJSONRequestBody{Kind: api.MintTokenRequestKind(kind), Name: given(name), RelayAddress: given(address)}
			if cmd.Flags().Changed("ttl") {
				in.TtlSeconds = new(int64(ttl.Seconds()))
			}
			if cmd.Flags().Changed("max-uses") {
				in.MaxUses = new(int64(uses))
			}
			if len(labels) > 0 {
				m := map[string]string{}
				for _, l := range labels {
					k, v, ok := strings.Cut(l, "=")
					if !ok {
						return usageError{fmt.Errorf("label %q is not name=value", l)}
					}
					m[k] = v
				}
				in.Labels = &m
			}
			return s.request(cmd, []string{"id", "kind", "expires_at", "max_uses", "token", "install"}, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.MintToken(ctx, site, in)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&site, "site", "", "the site, by name or id")
	f.StringVar(&kind, "kind", "", "what it enrols: relay or probe")
	f.StringVar(&name, "name", "", "a name to know it by")
	f.StringVar(&address, "address", "", "probe tokens: host:port of the relay (default: found by multicast)")
	f.DurationVar(&ttl, "ttl", 0, "how long it may be used (default: relay 24h, probe 168h)")
	f.IntVar(&uses, "max-uses", 0, "how many it may enrol (default: no limit)")
	f.StringArrayVar(&labels, "label", nil, "name=value put on every host it enrols; repeatable")
	cmd.MarkFlagRequired("site")
	cmd.MarkFlagRequired("kind")
	return cmd
}

func (s *session) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Revoke a token at once; what it enrolled stays", Args: arguments(1, 1),
		Example: `  assim token revoke Wb2kfR0aUq1c   # the id that ` + "`assim token list`" + ` shows`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, "token "+args[0]+" is revoked", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RevokeToken(ctx, args[0])
			})
		},
	}
}
