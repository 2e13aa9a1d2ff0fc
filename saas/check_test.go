package saas

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

// TestCheckSaysWhatBringsADeploymentBack takes one through its backups, keys and schemas.
func TestCheckSaysWhatBringsADeploymentBack(t *testing.T) {
	s := newService(t)
	s.signUp("ada@example.org", "Example", "paris")
	admin, err := pgx.Connect(t.Context(), s.config.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string, not ...string) {
		t.Helper()
		notes, err := Check(t.Context(), s.config, slog.New(slog.DiscardHandler))
		said := strings.Join(notes, "\n")
		if err != nil {
			said += "\nwrong: " + err.Error()
		}
		if !strings.Contains(said, want) {
			t.Errorf("check says\n%s\nand not %q", said, want)
		}
		for _, n := range not {
			if strings.Contains(said, n) {
				t.Errorf("check says\n%s\nwhich holds %q", said, n)
			}
		}
	}
	expect("attention: no backup was ever taken", "the master key is of", "old master key", "wrong:")
	if err := store.Record(t.Context(), s.config.DatabaseURL, store.BackedUp, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	expect("the last backup is of", "attention: the last backup")
	exec(`UPDATE assim.operations SET at = at - interval '27 hours'`)
	expect("attention: the last backup is of")

	long := time.Now().Add(-oldMaster - time.Hour)
	if err := os.Chtimes(s.config.MasterKeyFile, long, long); err != nil {
		t.Fatal(err)
	}
	expect("attention: the master key is of " + long.UTC().Format(time.DateOnly))
	if err := RotateMaster(t.Context(), s.config, io.Discard); err != nil {
		t.Fatal(err)
	}
	expect("attention: an old master key is still in", "the master key is of")
	if err := RetireMaster(t.Context(), s.config, io.Discard); err != nil {
		t.Fatal(err)
	}
	expect("the database answers", "old master key", "wrong:")
	exec(`UPDATE assim.operations SET at = $1 WHERE what = $2`, long, store.MasterRotated)
	expect("attention: the master key is of " + long.UTC().Format(time.DateOnly))
	other, err := keys.Load(filepath.Join(t.TempDir(), "other.key"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkMaster(t.Context(), s.config, other); err == nil || !strings.Contains(err.Error(), "nobody can open them") {
		t.Errorf("with a key that wrapped nothing: %v", err)
	}

	exec(`INSERT INTO public.goose_db_version (version_id, is_applied) VALUES (99999, true)`)
	expect("a newer program serves it")
	exec(`DELETE FROM public.goose_db_version WHERE version_id = 99999 OR version_id = (SELECT max(version_id) FROM public.goose_db_version WHERE version_id < 99999)`)
	expect("run `assim-saas migrate`")
}
