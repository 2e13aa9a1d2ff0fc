package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"assimilation/saas"
)

func keysCommand(config *saas.Config) *cobra.Command {
	c := &cobra.Command{
		Use: "keys", Short: "The master key and the keys of tenants: another one, an old one out",
		Long: `The master key wraps every private key and secret in the database. To replace it:

  1. prepare-master  makes a new key that is used for nothing yet. Only where several machines serve:
                     copy the file to each of them before you go on.
  2. rotate-master   wraps all secrets by the new key; the old one stays readable.
                     The service goes on, and reads the changed file by itself.
  3. Copy the file to where you keep it, and to other machines that serve.
  4. retire-master   takes the old key out, once nothing is wrapped by it.

Backups made before need the old key: keep a copy as long as you keep them. Who had both the old key
and the database knows the private keys themselves: replace those of tenants by rotate-tenant.`,
		Example: `  assim-saas keys list
  assim-saas keys prepare-master    # several machines: copy the file, then
  assim-saas keys rotate-master     # copy it again, then
  assim-saas keys retire-master`,
	}
	for _, sub := range []struct {
		use, short string
		run        func(context.Context, saas.Config, io.Writer) error
	}{
		{"list", "Say which master keys there are, and how many secrets each wraps", saas.ListMaster},
		{"prepare-master", "Make a new master key that is used for nothing yet, to be copied to all machines that serve", saas.PrepareMaster},
		{"rotate-master", "Use the prepared master key, or a new one, and wrap all secrets by it; goes on where it broke off", saas.RotateMaster},
		{"retire-master", "Take old master keys out of the file, once nothing needs them", saas.RetireMaster},
	} {
		c.AddCommand(&cobra.Command{
			Use: sub.use, Short: sub.short, Args: cobra.NoArgs, Example: "  assim-saas keys " + sub.use,
			RunE: func(cmd *cobra.Command, _ []string) error { return sub.run(cmd.Context(), *config, cmd.OutOrStdout()) },
		})
	}
	c.AddCommand(rotateTenantCommand(config))
	return c
}

func rotateTenantCommand(config *saas.Config) *cobra.Command {
	var retire bool
	c := &cobra.Command{
		Use: "rotate-tenant NAME|ID", Short: "Give a tenant another key that its relays seal to; --retire deletes the former one", Args: cobra.ExactArgs(1),
		Long: `Relays hear of the new key by their next orders, within seconds, and seal to it from then on. What is
sealed to the former key is taken until --retire, which deletes it once every relay has asked for
orders under the new key. A relay that is gone for good is in the way: revoke it.

Relay tokens from before the rotation name the former key: they end with it. So do backups: one from
before the rotation cannot open what relays seal now. Take another.`,
		Example: `  assim-saas keys rotate-tenant "Example Ltd"
  assim-saas keys rotate-tenant "Example Ltd" --retire`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if retire {
				return saas.RetireTenantKey(cmd.Context(), *config, args[0], cmd.OutOrStdout())
			}
			return saas.RotateTenantKey(cmd.Context(), *config, args[0], cmd.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&retire, "retire", false, "delete the former key")
	return c
}
