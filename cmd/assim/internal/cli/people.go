package cli

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"assimilation/api"
)

func (s *session) tenant() *cobra.Command {
	return group("tenant", "The tenants that you belong to",
		&cobra.Command{
			Use: "list", Short: "List your tenants; a token is good for one", Args: arguments(0, 0),
			Example: `  assim tenant list`,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return s.list(cmd, "/v1/tenants", nil, 0, []string{"name", "role", "id"})
			},
		},
		&cobra.Command{
			Use: "rename NAME", Short: "Give the tenant another name", Args: arguments(1, 1),
			Example: `  assim tenant rename "Example Ltd"`,
			RunE: func(cmd *cobra.Command, args []string) error {
				return s.send(cmd, "the tenant is called "+args[0], func(ctx context.Context, to *api.Client) (*http.Response, error) {
					return to.RenameTenant(ctx, api.RenameTenantJSONRequestBody{Name: args[0]})
				})
			},
		},
		s.exportTenant(), s.deletion(), s.deleteTenant(), s.keepTenant())
}

func (s *session) member() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List who belongs to the tenant", Args: arguments(0, 0),
		Example: `  assim member list
  assim member list -o csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/members", nil, 0, []string{"email", "role", "second_factor", "sso", "seen_at", "id"})
		},
	}
	role := &cobra.Command{
		Use: "role ID ROLE", Short: "Give a member another role: owner, admin, operator, viewer", Args: arguments(2, 2),
		Example: `  assim member role 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52 operator`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, "the member is "+args[1]+" now", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.SetMemberRole(ctx, args[0], api.SetMemberRoleJSONRequestBody{Role: api.RoleInputBodyRole(args[1])})
			})
		},
	}
	site := &cobra.Command{
		Use: "site-role ID SITE-ID ROLE", Short: "Give a member a role at one site: admin, operator, or none", Args: arguments(3, 3),
		Example: `  assim member site-role 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52 0b54fd0c-9d7f-4b8e-8f1f-3a3c36d2a1aa operator`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, "the member's role at the site is "+args[2]+" now", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.SetSiteRole(ctx, args[0], args[1], api.SetSiteRoleJSONRequestBody{Role: api.SiteInputBodyRole(args[2])})
			})
		},
	}
	remove := &cobra.Command{
		Use: "remove ID", Short: "Take a member out at once", Args: arguments(1, 1),
		Example: `  assim member remove 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, "the member is out", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RemoveMember(ctx, args[0])
			})
		},
	}
	return group("member", "Who belongs to the tenant, and what they may do", list, role, site, remove, s.invite(), s.invitations(), s.uninvite())
}

func (s *session) invite() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use: "invite EMAIL", Short: "Invite somebody by mail", Args: arguments(1, 1),
		Example: `  assim member invite bob@example.org --role operator`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.request(cmd, []string{"email", "role", "expires_at", "id", "link"}, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.Invite(ctx, api.InviteJSONRequestBody{Email: args[0], Role: api.InviteInputBodyRole(role)})
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", "viewer", "owner, admin, operator or viewer; at most your own")
	return cmd
}

func (s *session) invitations() *cobra.Command {
	return &cobra.Command{
		Use: "invitations", Short: "List invitations that wait to be taken", Args: arguments(0, 0),
		Example: `  assim member invitations`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/invitations", nil, 0, []string{"email", "role", "invited_by", "expires_at", "id"})
		},
	}
}

func (s *session) uninvite() *cobra.Command {
	return &cobra.Command{
		Use: "uninvite ID", Short: "Revoke an invitation at once", Args: arguments(1, 1),
		Example: `  assim member uninvite 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, "the invitation is revoked", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RevokeInvitation(ctx, args[0])
			})
		},
	}
}

func (s *session) audit() *cobra.Command {
	var actor, action, object, format string
	var since time.Duration
	var limit int
	asked := func() url.Values {
		q := filled("actor", actor, "action", action, "object", object)
		if since > 0 {
			q.Set("since", time.Now().Add(-since).UTC().Format(time.RFC3339))
		}
		return q
	}
	flags := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().StringVar(&actor, "actor", "", "part of who did it, or of the address that they came from")
		cmd.Flags().StringVar(&action, "action", "", "what was done, or the part before its dot: member, session, api-token, site, entry")
		cmd.Flags().StringVar(&object, "object", "", "the id of what it was done to")
		cmd.Flags().DurationVar(&since, "since", 0, "how far to look back (0: as far as there is)")
		return cmd
	}
	list := flags(&cobra.Command{
		Use: "list", Short: "List who changed what, from where, newest first", Args: arguments(0, 0),
		Example: `  assim audit list --since 24h
  assim audit list --action member -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/audit", asked(), limit, []string{"at", "actor", "address", "action", "object", "before", "after", "detail"})
		},
	})
	list.Flags().IntVar(&limit, "limit", 100, "at most this many (0: all)")
	export := flags(&cobra.Command{
		Use: "export", Short: "Print the log as CSV, or as one JSON object in each line", Args: arguments(0, 0),
		Example: `  assim audit export >audit.csv
  assim audit export --format json --since 720h`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			q := asked()
			q.Set("format", format)
			body, err := service.Raw(cmd.Context(), "/v1/audit/export", q)
			if err != nil {
				return err
			}
			_, err = s.out.Write(body)
			return err
		},
	})
	export.Flags().StringVar(&format, "format", "csv", "csv or json")
	return group("audit", "Who changed what, from where, and what it was like before", list, export)
}

func (s *session) apiToken() *cobra.Command {
	var name, role, site string
	var ttl time.Duration
	list := &cobra.Command{
		Use: "list", Short: "List your API tokens; for admins all of the tenant", Args: arguments(0, 0),
		Example: `  assim api-token list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/api-tokens", nil, 0, []string{"id", "name", "role", "site_id", "state", "email", "expires_at", "last_used_at", "last_used_from"})
		},
	}
	create := &cobra.Command{
		Use: "create", Short: "Make an API token; it is shown this once", Args: arguments(0, 0),
		Example: `  assim api-token create --name backup --role viewer --ttl 720h
  assim api-token create --name retire --role operator --site 0b54fd0c-9d7f-4b8e-8f1f-3a3c36d2a1aa`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in := api.CreateApiTokenJSONRequestBody{Name: name, Role: new(api.CreateInputBodyRole(role))}
			if site != "" {
				id, err := idOf("site", site)
				if err != nil {
					return err
				}
				in.SiteId = &id
			}
			if ttl > 0 {
				in.ExpiresIn = new(int64(ttl.Seconds()))
			}
			return s.request(cmd, []string{"id", "name", "role", "expires_at", "token"}, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.CreateApiToken(ctx, in)
			})
		},
	}
	create.Flags().StringVar(&name, "name", "", "a name to know it by")
	create.Flags().StringVar(&role, "role", "viewer", "its scope: viewer reads, operator acts on hosts, admin sets sites, owner all")
	create.Flags().StringVar(&site, "site", "", "the id of the only site that it is good for")
	create.Flags().DurationVar(&ttl, "ttl", 0, "how long it is good (0: for ever)")
	create.MarkFlagRequired("name")
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "Revoke an API token at once", Args: arguments(1, 1),
		Example: `  assim api-token revoke Wb2kfR0aUq1c`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, "API token "+args[0]+" is revoked", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RevokeApiToken(ctx, args[0])
			})
		},
	}
	return group("api-token", "Tokens that programs speak to the API with", list, create, revoke)
}
