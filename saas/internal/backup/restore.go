package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"assimilation/tenancy/store"
)

// Restore is how a backup is to be brought back.
type Restore struct {
	AdminURL   string
	Passwords  store.Passwords
	MasterKeys []string // ids of the keys that can open secrets
	Identities []age.Identity
	Force      bool // in place of a database that is not empty
	Progress   Progress
}

// Check reads a backup from its beginning to its end.
func (r Restore) Check(file string) (Manifest, Step, error) {
	manifest, _, step, err := r.check(file)
	return manifest, step, err
}

func (r Restore) check(file string) (Manifest, End, Step, error) {
	step := Step{Doing: "checking"}
	tell := teller(r.Progress, &step)
	manifest, end, err := r.read(file, func(m *Manifest, s source, in io.Reader) error {
		step.Of = len(m.sources())
		_, err := io.Copy(&metered{to: io.Discard, step: &step, tell: tell}, in)
		step.Table, step.Tables = s.entry, step.Tables+1
		return err
	})
	if err != nil {
		return manifest, end, step, fmt.Errorf("checking %s: %w", file, err)
	}
	for _, digest := range end.Tables {
		step.Rows += digest.Rows
	}
	tell()
	return manifest, end, step, nil
}

// read calls visit for each table of a backup.
func (r Restore) read(file string, visit func(m *Manifest, s source, in io.Reader) error) (Manifest, End, error) {
	in, err := os.Open(file)
	if err != nil {
		return Manifest{}, End{}, err
	}
	defer in.Close()
	archive, err := newReader(in, r.Identities)
	if err != nil {
		return Manifest{}, End{}, err
	}
	defer archive.Close()
	end, err := archive.tables(func(s source, rows io.Reader) error { return visit(&archive.manifest, s, rows) })
	return archive.manifest, end, err
}

// Run makes the database from a backup. It reads the backup three times: to find
// damage before anything is touched, to load it, and, by its digests, to compare
// what is there then.
func (r Restore) Run(ctx context.Context, file string) (Manifest, Step, error) {
	target, err := pgx.ParseConfig(r.AdminURL)
	if err != nil {
		return Manifest{}, Step{}, fmt.Errorf("reading the database URL: %w", err)
	}
	at, err := findPlace(ctx, target)
	if err != nil {
		return Manifest{}, Step{}, err
	}
	defer at.Close(context.WithoutCancel(ctx))
	if at.state == inUse && !r.Force {
		return Manifest{}, Step{}, fmt.Errorf("database %s is not empty: with --force it is dropped once the backup is restored beside it", target.Database)
	}
	manifest, end, step, err := r.check(file)
	if err != nil {
		return manifest, step, err
	}
	if err := r.opens(manifest); err != nil {
		return manifest, step, err
	}
	config, err := at.make(ctx)
	if err != nil {
		return manifest, step, err
	}
	if step, err = r.fill(ctx, config, file, manifest, end); err != nil {
		return manifest, step, err
	}
	if err := at.put(ctx); err != nil {
		return manifest, step, err
	}
	return manifest, step, store.Migrate(ctx, r.AdminURL, r.Passwords)
}

// fill makes the new database the one that the backup was made of.
func (r Restore) fill(ctx context.Context, config *pgx.ConnConfig, file string, manifest Manifest, end End) (Step, error) {
	step := Step{Doing: "loading", Of: len(end.Tables)}
	if err := store.MigrateTables(ctx, config, manifest.Schema); err != nil {
		return step, err
	}
	l, err := newLoader(ctx, config, manifest)
	if err != nil {
		return step, err
	}
	defer l.conn.Close(context.WithoutCancel(ctx)) // or the database cannot be renamed
	if err := l.prepare(ctx); err != nil {
		return step, err
	}
	tell := teller(r.Progress, &step)
	if _, _, err = r.read(file, func(_ *Manifest, s source, in io.Reader) error { return l.load(ctx, s, in, &step, tell) }); err != nil {
		return step, fmt.Errorf("loading %s: %w", file, err)
	}
	if err := l.complete(ctx); err != nil {
		return step, err
	}
	compared := Step{Doing: "comparing", Of: step.Of}
	return step, l.compare(ctx, end, &compared, teller(r.Progress, &compared))
}

// opens refuses a backup whose secrets the master key's file does not open.
func (r Restore) opens(m Manifest) error {
	for _, id := range m.MasterKeys {
		if !slices.Contains(r.MasterKeys, id) {
			return errors.New("secrets of the backup are wrapped by master key " + id + ", which is not in the master key's file: no relay and no second factor could be read; restore with the file of that time")
		}
	}
	return nil
}
