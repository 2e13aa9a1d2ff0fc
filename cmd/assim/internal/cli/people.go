package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/output"
)

// send makes a request that answers nothing, and says what was done.
func (s *session) send(cmd *cobra.Command, method, path string, in any, done string) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	if err := service.Do(cmd.Context(), method, path, nil, in, nil); err != nil {
		return err
	}
	fmt.Fprintln(s.out, output.Printable(done))
	return nil
}

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
				return s.send(cmd, http.MethodPatch, "/v1/tenant", map[string]string{"name": args[0]}, "the tenant is called "+args[0])
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
			return s.send(cmd, http.MethodPut, "/v1/members/"+url.PathEscape(args[0]), map[string]string{"role": args[1]}, "the member is "+args[1]+" now")
		},
	}
	site := &cobra.Command{
		Use: "site-role ID SITE-ID ROLE", Short: "Give a member a role at one site: admin, operator, or none", Args: arguments(3, 3),
		Example: `  assim member site-role 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52 0b54fd0c-9d7f-4b8e-8f1f-3a3c36d2a1aa operator`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, http.MethodPut, "/v1/members/"+url.PathEscape(args[0])+"/sites/"+url.PathEscape(args[1]), map[string]string{"role": args[2]}, "the member's role at the site is "+args[2]+" now")
		},
	}
	remove := &cobra.Command{
		Use: "remove ID", Short: "Take a member out at once", Args: arguments(1, 1),
		Example: `  assim member remove 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, http.MethodDelete, "/v1/members/"+url.PathEscape(args[0]), nil, "the member is out")
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
			service, err := s.service()
			if err != nil {
				return err
			}
			var made json.RawMessage
			if err := service.Do(cmd.Context(), http.MethodPost, "/v1/invitations", nil, map[string]string{"email": args[0], "role": role}, &made); err != nil {
				return err
			}
			return output.One(s.out, s.format, []string{"email", "role", "expires_at", "id", "link"}, made)
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
			return s.send(cmd, http.MethodDelete, "/v1/invitations/"+url.PathEscape(args[0]), nil, "the invitation is revoked")
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
			service, err := s.service()
			if err != nil {
				return err
			}
			in := map[string]any{"name": name, "role": role}
			if site != "" {
				in["site_id"] = site
			}
			if ttl > 0 {
				in["expires_in"] = int64(ttl.Seconds())
			}
			var made json.RawMessage
			if err := service.Do(cmd.Context(), http.MethodPost, "/v1/api-tokens", nil, in, &made); err != nil {
				return err
			}
			return output.One(s.out, s.format, []string{"id", "name", "role", "expires_at", "token"}, made)
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
			return s.send(cmd, http.MethodDelete, "/v1/api-tokens/"+url.PathEscape(args[0]), nil, "API token "+args[0]+" is revoked")
		},
	}
	return group("api-token", "Tokens that programs speak to the API with", list, create, revoke)
}
