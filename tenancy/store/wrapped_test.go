package store

import (
	"context"
	"crypto/rand"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"assimilation/internal/pgtest"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
)

// plainBytes are the columns of bytes that hold no secret of the master key: hashes,
// public keys, opaque names and bodies.
var plainBytes = []string{
	"answers.fingerprint", "answers.key", "api_tokens.hash", "asked.hash", "fact_bodies.body", "fact_bodies.hash", "fact_versions.hash",
	"fact_versions.previous", "facts.hash", "hosts.probe_key", "relays.certificate", "relays.install_key", "relays.next_certificate", "relays.noise_key",
	"relays.seal_key", "relays.sealed_to", "relays.sign_key", "sites.former_key", "sites.next_key", "sites.site_key", "streams.chain", "tenants.former_key", "tenants.former_key_hash",
	"tenants.seal_key", "tenants.seal_key_hash", "tokens.hash",
	"verdicts.domain",
}

// TestEverySecretIsWrappedAnew replaces the master key of a database that has a
// secret in each column that is said to hold one. A column of bytes that nobody has
// named is a failure: it may be forgotten.
func TestEverySecretIsWrappedAnew(t *testing.T) {
	ctx := t.Context()
	url := pgtest.URL(t)
	passwords := func(string) string { return "test" }
	if err := Migrate(ctx, url, passwords); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dropLogins(t, conn) })
	columns, err := byteColumns(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, name := range plainBytes {
		known[name] = true
	}
	for _, w := range wrappedColumns {
		known[w.String()] = true
	}
	for _, c := range columns {
		name := strings.Join(c, ".")
		if !known[name] && !strings.HasSuffix(name, ".hash") && name != "sso_attempts.state" {
			t.Errorf("%s: does the master key wrap it? wrappedColumns or plainBytes must name it", name)
		}
	}

	path := filepath.Join(t.TempDir(), "master.key")
	master, err := keys.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	old := master.IDs()[0]
	tenant := tenancy.NewID[tenancy.TenantID]()
	user, other := uuid.New(), uuid.New()
	secret := func(purpose string) []byte { return master.Wrap(purpose, []byte(purpose)) }
	fill := &pgx.Batch{}
	fill.Queue(`INSERT INTO assim.tenants (id, name, graph, reader, writer, seal_key, seal_key_hash, seal_private, former_key, former_key_hash, former_private, rotated_at)
		VALUES ($1, 'x', 'g', 'r', 'w', '\x01', '\x01', $2, '\x02', '\x02', $2, now())`,
		tenant, secret(keys.OfTenant(tenant)))
	site := tenancy.SiteID{UUID: other}
	fill.Queue(`INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private, next_key, next_private, next_at, site_secret)
		VALUES ($1, $2, 'x', 'x', '\x01', $3, '\x02', $4, now(), $5)`, other, tenant, secret(keys.OfSite(site)), secret(keys.OfSite(site)), secret(keys.OfSiteSecret(site)))
	fill.Queue(`INSERT INTO assim.users (id, email, password_hash, totp_secret) VALUES ($1, 'a@b', '', $2)`, user, secret(keys.OfSecondFactor(tenancy.UserID{UUID: user})))
	fill.Queue(`INSERT INTO assim.identity_providers (tenant, issuer, client_id, client_secret, role_claim, role_map, default_role, updated_at)
		VALUES ($1, 'https://x', 'x', $2, '', '{}', 'viewer', now())`,
		tenant, secret(keys.OfIdentityProvider(tenant)))
	fill.Queue(`INSERT INTO assim.exporters (tenant, id, name, protocol, endpoint, compression, signals, headers, secret, created_at, event_id, changed, sampled_at, next_at)
		VALUES ($1, $2, 'x', 'grpc', 'x', 'none', '{}', '{}', $3, now(), 0, '{}', now(), now())`, tenant, other, secret(keys.OfExporter(tenant, tenancy.ExporterID{UUID: other})))
	hook := keys.OfWebhook(tenant, tenancy.WebhookID{UUID: other})
	fill.Queue(`INSERT INTO assim.webhooks (tenant, id, name, url, types, state, secret, previous_secret, created_at, event_id, next_at)
		VALUES ($1, $2, 'x', 'x', '{}', 'on', $3, $4, now(), 0, now())`, tenant, other, secret(hook), secret(hook))
	fill.Queue(`INSERT INTO assim.answers (tenant, key, fingerprint, begun_at, answer) VALUES ($1, '\x01', '\x01', now(), $2)`, tenant, secret(keys.OfAnswer(tenant)))
	if err := conn.SendBatch(ctx, fill).Close(); err != nil {
		t.Fatal(err)
	}
	all := int64(len(wrappedColumns))
	counts, err := WrappedBy(ctx, conn)
	if err != nil || !maps.Equal(counts, map[string]int64{old: all}) {
		t.Fatalf("before: %v, %v", counts, err)
	}

	next, put, err := keys.Next(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := SetPasswords(ctx, url, next.Derive, put); err != nil {
		t.Fatal(err)
	}
	if n, err := Rewrap(ctx, url, next); err != nil || n != all {
		t.Fatalf("%d secrets were wrapped anew, want %d: %v", n, all, err)
	}
	if n, err := Rewrap(ctx, url, next); err != nil || n != 0 {
		t.Errorf("again: %d, %v", n, err)
	}
	counts, err = WrappedBy(ctx, conn)
	if err != nil || !maps.Equal(counts, map[string]int64{next.IDs()[0]: all}) {
		t.Errorf("afterwards: %v, %v", counts, err)
	}
	if left, err := StillWrapped(ctx, url, []string{old}); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	left, err := StillWrapped(ctx, url, next.IDs())
	var want []string
	for _, w := range wrappedColumns {
		want = append(want, w.String())
	}
	if got := slices.Sorted(maps.Keys(left)); err != nil || !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("found in %v, %v, want %v", got, err, want)
	}

	damaged := append([]byte{1, 0, 0, 0, 0}, rand.Text()+rand.Text()...)
	if _, err := conn.Exec(ctx, `UPDATE assim.users SET totp_secret = $1`, damaged); err != nil {
		t.Fatal(err)
	}
	if _, err := Rewrap(ctx, url, next); err == nil || !strings.Contains(err.Error(), "second factor") {
		t.Errorf("a secret that nobody can open: %v", err)
	}
}

// dropLogins removes the roles of a test's database.
func dropLogins(t *testing.T, conn *pgx.Conn) {
	ctx := context.Background()
	r := rolesOf(conn.Config().Database)
	for _, role := range slices.Concat(r.logins(), r.groups()) {
		if _, err := conn.Exec(ctx, `DROP OWNED BY `+quote(role)+`; DROP ROLE `+quote(role)); err != nil {
			t.Error(err)
		}
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
}
