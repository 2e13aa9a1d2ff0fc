package cli

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"assimilation/api"
)

func (s *session) siteKey() *cobra.Command {
	fields := []string{"fingerprint", "since", "next", "former", "tokens", "summary"}
	show := &cobra.Command{
		Use: "show SITE", Short: "Say which key a site has, which one replaces it, and who knows that one", Args: arguments(1, 1),
		Example: `  assim site key show paris
  assim site key show paris -o json | jq '.hosts.missing[].name'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.one(cmd, "/v1/sites/"+url.PathEscape(args[0])+"/key", fields)
		},
	}
	var compromised, force bool
	rotate := &cobra.Command{
		Use: "rotate SITE", Short: "Make a key that replaces a site's; the old one stays good until it is retired", Args: arguments(1, 1),
		Long: `Makes the key that replaces a site's. The old key names the new one; relays hear of it within seconds, tell each host that has a
session, and each host stores it. Nothing stops meanwhile. Tokens that are minted from now on pin the new key.

--compromised: somebody else may have the old key. The new one is in force at once, the site's relays are revoked and all of its
tokens of probes end. Nothing that the old key signs can introduce the new one, so every relay and every host has to be enrolled
again with a new token: assim-relay enrol --again, assim-probe enrol --move. Until a host is, it believes the old key.`,
		Example: `  assim site key rotate paris
  assim site key show paris          # until all know it
  assim site key retire paris
  assim site key rotate paris --compromised`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.request(cmd, fields, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RotateSiteKey(ctx, args[0], api.RotateSiteKeyJSONRequestBody{Compromised: &compromised})
			})
		},
	}
	rotate.Flags().BoolVar(&compromised, "compromised", false, "others may have the key: replace it at once, and enrol everything again")
	retire := &cobra.Command{
		Use: "retire SITE", Short: "Put the new key in force and delete the old one, once all hosts and relays know the new one", Args: arguments(1, 1),
		Long: `Puts the key that was made by rotate in force, and deletes the old one. Refused, with their names, while hosts or relays of the site
do not know the new key. --force does it without them: such a host says "site key retired" in its log and among the probes that
wait, and comes back, as the same host, by assim-probe enrol --move with a new token; such a relay by assim-relay enrol --again.`,
		Example: `  assim site key retire paris
  assim site key retire paris --force -o json | jq '.hosts.missing[].name'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.request(cmd, fields, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RetireSiteKey(ctx, args[0], api.RetireSiteKeyJSONRequestBody{Force: &force})
			})
		},
	}
	retire.Flags().BoolVar(&force, "force", false, "also without hosts and relays that do not know the new key")
	return group("key", "The key that hosts and relays of a site trust: another one, the old one out", show, rotate, retire)
}
