package saas

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

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
	db, master, err := open(ctx, config)
	if err != nil {
		return notes, err
	}
	defer db.Close()
	if err := db.Ping(ctx); err != nil {
		return notes, err
	}
	notes = append(notes, "the database answers")
	kept, err := checkKept(ctx, config, master)
	return append(notes, kept...), err
}

const (
	oldBackup = 26 * time.Hour // one a day, and time to take it
	oldMaster = 400 * 24 * time.Hour
)

// checkKept looks at what brings a deployment back: its schema, backups and the
// master key.
func checkKept(ctx context.Context, config Config, master *keys.Master) (notes []string, err error) {
	have, newest, err := store.SchemaVersion(ctx, config.DatabaseURL)
	switch {
	case err != nil:
		return nil, err
	case have < newest:
		return nil, fmt.Errorf("the database is at version %d, and this program wants %d: run `assim-saas migrate`", have, newest)
	case have > newest:
		return nil, fmt.Errorf("the database is at version %d, and this program knows %d: a newer program serves it", have, newest)
	}
	backup, err := store.Last(ctx, config.DatabaseURL, store.BackedUp)
	switch {
	case err != nil:
		return nil, err
	case backup == nil:
		notes = append(notes, "attention: no backup was ever taken with `assim-saas backup`")
	case time.Since(backup.At) > oldBackup:
		notes = append(notes, fmt.Sprintf("attention: the last backup is of %s", backup.At.UTC().Format(time.DateTime)))
	default:
		notes = append(notes, fmt.Sprintf("the last backup is of %s", backup.At.UTC().Format(time.DateTime)))
	}
	keyed, err := checkMaster(ctx, config, master)
	return append(notes, keyed...), err
}

func checkMaster(ctx context.Context, config Config, master *keys.Master) (notes []string, err error) {
	ids := master.IDs()
	counts, err := store.SecretsBy(ctx, config.DatabaseURL)
	if err != nil {
		return nil, err
	}
	for id, n := range counts {
		if id == master.Prepared() {
			notes = append(notes, fmt.Sprintf("attention: another machine uses the master key that is prepared in %s: copy its file here", config.MasterKeyFile))
		} else if !slices.Contains(ids, id) {
			return nil, fmt.Errorf("%d secrets are wrapped by master key %s, which is not in %s: nobody can open them", n, id, config.MasterKeyFile)
		}
	}
	if len(ids) > 1 {
		notes = append(notes, "attention: an old master key is still in "+config.MasterKeyFile+": `assim-saas keys retire-master` takes it out")
	}
	info, err := os.Stat(config.MasterKeyFile)
	if err != nil {
		return nil, fmt.Errorf("looking at the master key: %w", err)
	}
	since := info.ModTime()
	rotated, err := store.Last(ctx, config.DatabaseURL, store.MasterRotated)
	if err != nil {
		return nil, err
	}
	if rotated != nil {
		since = rotated.At
	}
	if time.Since(since) > oldMaster {
		notes = append(notes, fmt.Sprintf("attention: the master key is of %s: `assim-saas keys rotate-master` makes another", since.UTC().Format(time.DateOnly)))
	}
	return notes, nil
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
