package cli

import (
	"github.com/spf13/cobra"

	"assimilation/saas"
)

func backupCommand(config *saas.Config) *cobra.Command {
	var o saas.BackupOptions
	c := &cobra.Command{
		Use: "backup", Short: "Write a backup of the whole deployment while it runs", Args: cobra.NoArgs,
		Long: `Write a backup of the whole deployment while it runs: all tenants, as they are at one moment.

Secrets in it (private keys of tenants and sites, second factors) are wrapped by the master key,
which is NOT in it: keep that file apart from the backups, and both. Facts about hosts are in it as
they are: name recipients of age, and only they can read it. "assim-saas restore" brings it back.`,
		Example: `  assim-saas backup -o /var/backups/assimilation/            # a new file in a folder
  assim-saas backup -o nightly.backup -r age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq
  assim-saas backup -o - | rclone rcat remote:assimilation.backup`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Errors = cmd.ErrOrStderr()
			return saas.Backup(cmd.Context(), *config, o, cmd.OutOrStdout())
		},
	}
	c.Flags().StringVarP(&o.Output, "output", "o", "", "file, folder, or - for standard output")
	c.Flags().StringArrayVarP(&o.Recipients, "recipient", "r", nil, "public key of age that the backup is sealed to; may be repeated")
	_ = c.MarkFlagRequired("output") // the flag is defined above
	return c
}

func restoreCommand(config *saas.Config) *cobra.Command {
	var o saas.RestoreOptions
	c := &cobra.Command{
		Use: "restore FILE", Short: "Make the database from a backup", Args: cobra.ExactArgs(1),
		Long: `Make the database from a backup. Stop the service before.

The backup is read once to find damage, restored beside what is there, compared row by row, migrated
to this program's schema, and only then given the database's name. The database may be missing or
empty; with --force it may be in use, and is dropped at the end. Roles and rights are made anew.

The master key of the backup's time must be in the master key's file. Restore into the versions of
Postgres and AGE that --check names: other ones were not tried.`,
		Example: `  assim-saas restore --check nightly.backup                  # only read it
  assim-saas restore nightly.backup
  assim-saas restore --force --identity key.txt sealed.backup`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.File, o.Errors = args[0], cmd.ErrOrStderr()
			return saas.Restore(cmd.Context(), *config, o, cmd.OutOrStdout())
		},
	}
	c.Flags().StringArrayVarP(&o.Identities, "identity", "i", nil, "file with the private key of age that opens the backup; may be repeated")
	c.Flags().BoolVar(&o.Force, "force", false, "restore in place of a database that is not empty")
	c.Flags().BoolVar(&o.Check, "check", false, "only read the backup to its end, and say what it holds")
	return c
}
