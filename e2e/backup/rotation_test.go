package backup_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
)

// TestTheMasterKeyIsReplacedUnderWay changes the master key of a service that takes
// facts in, and then tries what the old one still opens.
func TestTheMasterKeyIsReplacedUnderWay(t *testing.T) {
	d := deploy(t)
	key := filepath.Join(d.Dir, "master.key")
	stolen := filepath.Join(t.TempDir(), "stolen.key")
	text, err := os.ReadFile(key)
	if err == nil {
		err = os.WriteFile(stolen, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	tenant, wrapped := d.sealKey()
	before := filepath.Join(t.TempDir(), "before.backup")
	d.saas("backup", "-o", before)

	// What happens while the keys change.
	during, gone := d.listen()
	d.saas("keys", "rotate-master")
	d.awaitTold("added", during)
	gone.Kill()
	d.awaitTold("removed", during)
	d.saas("keys", "list")
	if _, now := d.sealKey(); string(now) == string(wrapped) {
		t.Fatal("the tenant's key is wrapped as it was")
	}
	d.saas("keys", "retire-master")

	after, _ := d.listen()
	d.awaitTold("added", after)
	// A relay that joins, by a certificate that a site's key signs: the service opens
	// both by the new key, without having been started anew, and then with it.
	d.Relay(world.Node{Name: "relay-third", Host: "third-relay"})
	d.SaaS.Kill()
	d.SaaS.Start()
	world.Answers(t, d.URL+"/readyz")
	last, _ := d.listen()
	d.awaitTold("added", last)
	for _, http := range d.http {
		d.AtRest(t, http, world.Patience)
	}
	d.Examine(t)
	if n := d.count(`SELECT count(*) FROM assim.events WHERE type = 'relay.gap'`); n != 0 {
		t.Errorf("%d gaps", n)
	}

	// Who has the old key opens nothing of the database as it is now, nor does the new
	// one open what was wrapped before.
	_, fresh := d.sealKey()
	old, err := keys.Load(stolen)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Unwrap(keys.OfTenant(tenant), fresh); !errors.Is(err, keys.ErrOtherKey) {
		t.Errorf("the old key opens the tenant's: %v", err)
	}
	master, err := keys.Load(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := master.Unwrap(keys.OfTenant(tenant), wrapped); !errors.Is(err, keys.ErrOtherKey) {
		t.Errorf("a retired key opens: %v", err)
	}
	d.refused(key, "not in the master key's file", "restore", "--force", before)
	d.refused(stolen, "password authentication failed", "reset-link", "owner@example.org")
}

// sealKey reads a tenant's private key as it is stored.
func (d *deployment) sealKey() (tenant tenancy.TenantID, wrapped []byte) {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.Database)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close(d.t.Context())
	if err := conn.QueryRow(d.t.Context(), `SELECT id, seal_private FROM assim.tenants`).Scan(&tenant, &wrapped); err != nil {
		d.t.Fatal(err)
	}
	return tenant, wrapped
}

// refused runs the service's program with a master key, and wants a refusal.
func (d *deployment) refused(key, reason string, args ...string) {
	d.t.Helper()
	cmd := exec.Command(filepath.Join(d.Bin, "assim-saas"), args...)
	cmd.Env = append(append(os.Environ(), d.Env()...), "ASSIM_MASTER_KEY_FILE="+key)
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), reason) {
		d.t.Errorf("assim-saas %s after %v: %v: %s, want %q", args[0], time.Since(begun), err, out, reason)
	}
}
