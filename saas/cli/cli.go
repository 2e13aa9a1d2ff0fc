// Package cli is the command line of assim-saas.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"assimilation/internal/telemetry"
	"assimilation/saas"
	"assimilation/tenancy"
)

// Version is set by the build.
var Version = "development"

// Main runs one command line and returns the exit code: 0 done, 1 not.
func Main(args []string, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := root(out, errs)
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(errs, "assim-saas:", err)
		return 1
	}
	return 0
}

func root(out, errs io.Writer) *cobra.Command {
	config := saas.Default(os.Getenv)
	config.Version = Version
	var debug bool
	root := &cobra.Command{
		Use:   "assim-saas",
		Short: "The hosted service of Assimilation",
		Example: `  export ASSIM_DATABASE_URL=postgres://postgres:secret@127.0.0.1:5432/assimilation
  assim-saas migrate
  assim-saas serve --listen 0.0.0.0:8080 --url https://assimilation.example`,
		Version: Version, SilenceErrors: true, SilenceUsage: true,
	}
	root.SetOut(out)
	root.SetErr(errs)
	flags := root.PersistentFlags()
	// The URL holds a password, so help must not show it as the default.
	database := flags.String("database-url", "", "administrator's URL of Postgres with AGE (ASSIM_DATABASE_URL)")
	flags.StringVar(&config.MasterKeyFile, "master-key-file", config.MasterKeyFile, "the key that wraps all private keys (ASSIM_MASTER_KEY_FILE)")
	flags.BoolVar(&debug, "debug", false, "log every request")
	handler := func() slog.Handler {
		level := slog.LevelInfo
		if debug {
			level = slog.LevelDebug
		}
		return slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level})
	}
	logger := func() *slog.Logger { return slog.New(handler()) }
	root.PersistentPreRun = func(*cobra.Command, []string) {
		if *database != "" {
			config.DatabaseURL = *database
		}
	}

	serve := &cobra.Command{
		Use: "serve", Short: "Serve relays, the API and the dashboard until stopped", Args: cobra.NoArgs,
		Example: `  assim-saas serve --listen 0.0.0.0:8080 --url https://assimilation.example`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if config.Telemetry, err = telemetry.Start(cmd.Context(), "assim-saas", Version, logger()); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, config.Telemetry.Close()) }()
			service, err := saas.New(cmd.Context(), config, config.Telemetry.Logger(handler()))
			if err != nil {
				return err
			}
			defer service.Close()
			return service.Run(cmd.Context())
		},
	}
	serve.Flags().StringVar(&config.Listen, "listen", config.Listen, "address to serve on (ASSIM_LISTEN)")
	serve.Flags().StringVar(&config.URL, "url", config.URL, "how people and relays reach the service; default http:// and the listen address (ASSIM_URL)")
	serve.Flags().StringVar(&config.MetricsListen, "metrics-listen", config.MetricsListen, "internal address of /metrics; default none (ASSIM_METRICS_LISTEN)")
	serve.Flags().StringVar(&config.TrustedProxies, "trusted-proxies", config.TrustedProxies, "reverse proxies whose X-Forwarded-For is believed, by comma (ASSIM_TRUSTED_PROXIES)")
	// The URL of mail holds a password, too.
	smtp := serve.Flags().String("smtp", "", "smtp://user:password@host:587 by which letters go, log: to write them to the log; default none (ASSIM_SMTP)")
	serve.PreRun = func(*cobra.Command, []string) {
		if *smtp != "" {
			config.SMTP = *smtp
		}
	}
	serve.Flags().StringVar(&config.MailFrom, "mail-from", config.MailFrom, "address that letters come from (ASSIM_MAIL_FROM)")
	serve.Flags().StringVar(&config.Downloads, "downloads", config.Downloads, "folder of the programs that installations fetch (ASSIM_DOWNLOADS)")

	migrate := &cobra.Command{
		Use: "migrate", Short: "Bring the database up to date; harmless to repeat", Args: cobra.NoArgs,
		Example: `  assim-saas migrate --database-url postgres://postgres:secret@127.0.0.1:5432/assimilation`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := saas.Migrate(cmd.Context(), config); err != nil {
				return err
			}
			fmt.Fprintln(out, "the database is up to date")
			return nil
		},
	}
	rebuild := &cobra.Command{
		Use: "rebuild TENANT", Short: "Project all facts of a tenant anew and mend its graph where it differs", Args: cobra.ExactArgs(1),
		Example: `  assim-saas rebuild 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52   # the id that "assim whoami" shows`,
		RunE: func(cmd *cobra.Command, args []string) error {
			tenant, err := tenancy.ParseID[tenancy.TenantID](args[0])
			if err != nil {
				return err
			}
			return saas.Rebuild(cmd.Context(), config, tenant, logger(), out)
		},
	}
	openapi := &cobra.Command{
		Use: "openapi", Short: "Print the description of the API (OpenAPI 3.1)", Args: cobra.NoArgs,
		Example: `  assim-saas openapi >docs/openapi.json`,
		RunE: func(*cobra.Command, []string) error {
			description, err := saas.Describe()
			if err != nil {
				return err
			}
			_, err = out.Write(description)
			return err
		},
	}
	check := &cobra.Command{
		Use: "check", Short: "Say in words what of this deployment's settings is wrong, or wants attention", Args: cobra.NoArgs,
		Example: `  assim-saas check`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			notes, err := saas.Check(cmd.Context(), config, logger())
			for _, n := range notes {
				fmt.Fprintln(out, n)
			}
			return err
		},
	}
	resetLink := &cobra.Command{
		Use: "reset-link EMAIL", Short: "Print a link by which a person sets a new password, where no mail is sent", Args: cobra.ExactArgs(1),
		Example: `  assim-saas reset-link ada@example.org`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return saas.ResetLink(cmd.Context(), config, args[0], logger(), out)
		},
	}
	for _, c := range []*cobra.Command{check, resetLink} {
		c.Flags().StringVar(&config.URL, "url", config.URL, "how people reach the service (ASSIM_URL)")
	}
	root.AddCommand(serve, migrate, rebuild, openapi, check, resetLink, backupCommand(&config), restoreCommand(&config), keysCommand(&config), readyCommand(&config))
	root.AddCommand(tenantCommand(&config))
	return root
}
