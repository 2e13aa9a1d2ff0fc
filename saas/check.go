package saas

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/accounts"
	"assimilation/saas/internal/mail"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

// Check looks at the settings of a deployment, and whether its database answers.
// The notes are what wants attention; the error is what is wrong.
func Check(ctx context.Context, config Config, log *slog.Logger) (notes []string, err error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	post, err := mail.New(config.SMTP, config.MailFrom, log, prometheus.NewRegistry())
	if err != nil {
		return nil, err
	}
	switch {
	case post.Log():
		notes = append(notes, "attention: letters are written to the log, with links that open accounts: for development only")
	case !post.Reaches():
		notes = append(notes, "attention: no mail is sent (ASSIM_SMTP): people come in without showing that their e-mail address is theirs, and signing up tells whether an address has an account")
	}
	if strings.HasPrefix(config.URL, "http:") {
		notes = append(notes, "attention: the public address is without TLS (ASSIM_URL): sessions can be stolen on the way")
	}
	if config.PrivateIssuers {
		notes = append(notes, "attention: tenants may name identity providers in this service's own network (ASSIM_PRIVATE_ISSUERS)")
	}
	if config.PrivateCollectors {
		notes = append(notes, "attention: tenants may have data sent into this service's own network, and without TLS (ASSIM_PRIVATE_COLLECTORS)")
	}
	if config.TrustedProxies == "" {
		notes = append(notes, "attention: no proxy is trusted (ASSIM_TRUSTED_PROXIES): behind one, all people share its allowance of log-ins")
	}
	db, _, err := open(ctx, config)
	if err != nil {
		return notes, err
	}
	defer db.Close()
	if err := db.Ping(ctx); err != nil {
		return notes, err
	}
	return append(notes, "the database answers"), nil
}

// ResetLink prints a link by which who has it sets a person's new password.
func ResetLink(ctx context.Context, config Config, email string, log *slog.Logger, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	public, err := url.Parse(config.URL)
	if err != nil {
		return fmt.Errorf("public URL: %w", err) // Validate parsed it already
	}
	db, master, err := open(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	post, err := mail.New("", "", log, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	link, err := accounts.New(accounts.Config{DB: db, Master: master, Log: log, Post: post, URL: public}).ResetLink(ctx, strings.ToLower(strings.TrimSpace(email)))
	switch {
	case err != nil:
		return err
	case link == "":
		return fmt.Errorf("no account has the address %q", email)
	}
	fmt.Fprintln(out, link)
	return nil
}

// open opens the database, with the key that its secrets are wrapped by.
func open(ctx context.Context, config Config) (*store.DB, *keys.Master, error) {
	master, err := keys.Load(config.MasterKeyFile)
	if err != nil {
		return nil, nil, err
	}
	db, err := store.Open(ctx, store.Config{AdminURL: config.DatabaseURL, Passwords: master.Derive})
	return db, master, err
}
