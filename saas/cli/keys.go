package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"assimilation/saas"
)

func keysCommand(config *saas.Config) *cobra.Command {
	c := &cobra.Command{
		Use: "keys", Short: "The master key: what it wraps, another one, an old one out",
		Long: `The master key wraps every private key and secret in the database. To replace it:

  1. rotate-master   makes a new key and wraps all secrets by it; the old one stays readable.
                     The service goes on, and reads the changed file by itself.
  2. Copy the file to where you keep it, and to other machines that serve.
  3. retire-master   takes the old key out, once nothing is wrapped by it.

Backups made before need the old key: keep a copy as long as you keep them. Who had both the old key
and the database knows the private keys themselves: replace those, too.`,
		Example: `  assim-saas keys list
  assim-saas keys rotate-master && assim-saas keys retire-master`,
	}
	for _, sub := range []struct {
		use, short string
		run        func(context.Context, saas.Config, io.Writer) error
	}{
		{"list", "Say which master keys there are, and how many secrets each wraps", saas.ListMaster},
		{"rotate-master", "Make a new master key and wrap all secrets by it; goes on where it broke off", saas.RotateMaster},
		{"retire-master", "Take old master keys out of the file, once nothing needs them", saas.RetireMaster},
	} {
		c.AddCommand(&cobra.Command{
			Use: sub.use, Short: sub.short, Args: cobra.NoArgs, Example: "  assim-saas keys " + sub.use,
			RunE: func(cmd *cobra.Command, _ []string) error { return sub.run(cmd.Context(), *config, cmd.OutOrStdout()) },
		})
	}
	return c
}
