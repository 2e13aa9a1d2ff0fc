package saas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"assimilation/saas/internal/backup"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

// BackupOptions say where a backup goes, and who alone may read it.
type BackupOptions struct {
	Output     string   // a file, a folder, or "-" for out
	Recipients []string // of age; none: whoever has the file reads it
	Errors     io.Writer
}

// Backup writes a backup of the whole deployment, and what it did to out.
func Backup(ctx context.Context, config Config, o BackupOptions, out io.Writer) (err error) {
	if err := config.Validate(); err != nil {
		return err
	}
	d := backup.Dump{AdminURL: config.DatabaseURL, Program: config.Version, Progress: progress(o.Errors)}
	for _, text := range o.Recipients {
		recipients, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return fmt.Errorf("recipient %q: %w", text, err)
		}
		d.Recipients = append(d.Recipients, recipients...)
	}
	var manifest backup.Manifest
	var step backup.Step
	file, size := o.Output, int64(0)
	if file == "-" {
		counted := &counter{to: out}
		manifest, step, err = d.Write(ctx, counted)
		size = counted.n
	} else {
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			file = filepath.Join(file, "assimilation-"+time.Now().UTC().Format("20060102T150405Z")+".backup")
		}
		size, err = writeFile(file, func(w io.Writer) (err error) { manifest, step, err = d.Write(ctx, w); return err })
	}
	if err != nil {
		return fmt.Errorf("making a backup: %w", err)
	}
	if file != "-" {
		fmt.Fprintf(out, "%s: %d rows of %d tables, %s as text, %s in the file, in %s\n",
			file, step.Rows, step.Tables, inBytes(step.Bytes), inBytes(size), step.Elapsed.Round(time.Millisecond))
		fmt.Fprintf(out, "secrets in it are wrapped by master key %s, which is NOT in it: keep %s, and apart from it\n", strings.Join(manifest.MasterKeys, " and "), config.MasterKeyFile)
	}
	return store.Record(ctx, config.DatabaseURL, store.BackedUp, map[string]any{
		"file": filepath.Base(file), "bytes": size, "rows": step.Rows, "sealed": len(d.Recipients) > 0, "milliseconds": step.Elapsed.Milliseconds()})
}

// writeFile gives a file its name once it is whole and on the disk.
func writeFile(name string, write func(io.Writer) error) (size int64, err error) {
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-") // mode 0600
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	err = write(file)
	if info, broken := file.Stat(); broken == nil {
		size = info.Size()
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return 0, err
	}
	return size, os.Rename(file.Name(), name)
}

// RestoreOptions say how a backup is brought back.
type RestoreOptions struct {
	File       string
	Identities []string // files of age
	Force      bool     // in place of a database that is not empty
	Check      bool     // only read the backup
	Errors     io.Writer
}

// Restore makes the deployment's database from a backup.
func Restore(ctx context.Context, config Config, o RestoreOptions, out io.Writer) error {
	r := backup.Restore{Force: o.Force, Progress: progress(o.Errors)}
	for _, name := range o.Identities {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("opening an identity: %w", err)
		}
		identities, err := age.ParseIdentities(file)
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("reading identity %s: %w", name, err)
		}
		r.Identities = append(r.Identities, identities...)
	}
	if o.Check {
		manifest, step, err := r.Check(o.File)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: whole: %d rows of %d tables, %s as text, tenants: %d; made %s of database %s by assim-saas %s, schema %d, Postgres %s, AGE %s, master key %s\n",
			o.File, step.Rows, step.Tables, inBytes(step.Bytes), len(manifest.Graphs), manifest.MadeAt.Format(time.RFC3339), manifest.Database, manifest.Program,
			manifest.Schema, manifest.Postgres, manifest.AGE, strings.Join(manifest.MasterKeys, " and "))
		return nil
	}
	if err := config.Validate(); err != nil {
		return err
	}
	master, err := keys.Load(config.MasterKeyFile)
	if err != nil {
		return err
	}
	r.AdminURL, r.Passwords, r.MasterKeys = config.DatabaseURL, master.Derive, append(master.IDs(), master.Prepared())
	begun := time.Now()
	manifest, step, err := r.Run(ctx, o.File)
	if err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	fmt.Fprintf(out, "%s is restored: the deployment as it was at %s: %d rows of %d tables, tenants: %d, each row compared, in %s\n",
		o.File, manifest.MadeAt.Format(time.RFC3339), step.Rows, step.Tables, len(manifest.Graphs), time.Since(begun).Round(time.Millisecond))
	fmt.Fprintln(out, "start the service: relays find out and tell anew what happened since; the history shows one gap for each")
	return store.Record(ctx, config.DatabaseURL, store.Restored, map[string]any{
		"file": filepath.Base(o.File), "made_at": manifest.MadeAt, "rows": step.Rows, "milliseconds": time.Since(begun).Milliseconds()})
}

// progressEvery is how often a line says how far it is.
const progressEvery = 5 * time.Second

func progress(out io.Writer) backup.Progress {
	said := time.Now()
	return func(s backup.Step) {
		if now := time.Now(); now.Sub(said) >= progressEvery {
			said = now
			fmt.Fprintf(out, "%s: %d of %d tables, %s\n", s.Doing, s.Tables, s.Of, inBytes(s.Bytes))
		}
	}
}

func inBytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
}

type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}
