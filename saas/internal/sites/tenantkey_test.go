package sites_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/uplink"
	"assimilation/wire"
)

// rotate gives tenant a another key, and returns its public part.
func (w *world) rotate() (uplink.SealKey, error) {
	w.t.Helper()
	key, err := uplink.NewOpenKey()
	if err != nil {
		w.t.Fatal(err)
	}
	private, err := key.Bytes()
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = store.RotateTenantKey(w.t.Context(), w.admin, w.a.id.String(), func(id tenancy.TenantID) ([]byte, []byte, error) {
		return key.SealKey().Bytes(), w.service.Keys.Wrap(keys.OfTenant(id), private), nil
	})
	return key.SealKey(), err
}

// TestTenantsKeyIsReplaced goes the whole way: what is sealed to the former key is
// understood until no relay needs it, and refused for a reason afterwards.
func TestTenantsKeyIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	hears, sleeps := w.enrolled("berlin", "relay-1"), w.enrolled("berlin", "relay-2")
	_, early := w.mint("berlin", `{"kind":"relay"}`)
	before := hears.orders(0, 0)
	if before.TenantKey != nil {
		t.Fatal("a relay that has the key is told of it")
	}
	if _, err := store.RetireTenantKey(t.Context(), w.admin, w.a.id.String()); err == nil || !strings.Contains(err.Error(), "one key only") {
		t.Fatalf("retiring the only key: %v", err)
	}

	// A relay that waits is woken: its request came while the former key was the only one.
	status, body := make(chan int, 1), make(chan []byte, 1)
	envelope := hears.ordersEnvelope(hears.orders(before.Revision, 0).Revision, 20*time.Second)
	go func() {
		answer, err := http.Post(w.url+"/relay/v1/orders", "application/octet-stream", bytes.NewReader(envelope))
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		defer answer.Body.Close()
		var text bytes.Buffer
		_, _ = text.ReadFrom(answer.Body)
		status <- answer.StatusCode
		body <- text.Bytes()
	}()
	former := w.a.seal
	key, err := w.rotate()
	if err != nil {
		t.Fatal(err)
	}
	if code := <-status; code != http.StatusOK {
		t.Fatalf("the waiting request: %d", code)
	}
	if got := hears.read(http.StatusOK, <-body); !bytes.Equal(got.TenantKey, key.Bytes()) {
		t.Fatal("the orders do not have the new key")
	}
	if _, err := w.rotate(); err == nil || !strings.Contains(err.Error(), "retire it first") {
		t.Errorf("a third key: %v", err)
	}

	// Sealed to the former key: understood, also from who only joins now.
	if got := hears.orders(0, 0); !bytes.Equal(got.TenantKey, key.Bytes()) {
		t.Error("who still seals to the former key is not told again")
	}
	joins := w.relay("relay-3", early).mustEnrol()
	_, err = store.RetireTenantKey(t.Context(), w.admin, w.a.id.String())
	for _, name := range []string{"relay-1", "relay-2", "relay-3"} {
		if err == nil || !strings.Contains(err.Error(), name+" of site berlin") {
			t.Errorf("retired while %s may need it: %v", name, err)
		}
	}

	// Sealed to the new one: that is the relay's word that it has it.
	for _, r := range []*relay{hears, joins} {
		r.tenant = key
		if got := r.orders(0, 0); got.TenantKey != nil {
			t.Error("who seals to the new key is told of it")
		}
	}
	_, err = store.RetireTenantKey(t.Context(), w.admin, w.a.id.String())
	if err == nil || !strings.Contains(err.Error(), "relay-2") || strings.Contains(err.Error(), "relay-1") {
		t.Errorf("retired while relay-2 needs it: %v", err)
	}
	w.exec(w.a.id, `UPDATE relays SET revoked_at = now() WHERE id = $1`, sleeps.answer.Relay)
	done, err := store.RetireTenantKey(t.Context(), w.admin, w.a.id.String())
	if err != nil || done.Relays != 2 {
		t.Fatalf("%+v, %v", done, err)
	}

	// Nothing opens by the former key, and nothing of it is left.
	hears.tenant = former
	if code, text := w.post("/relay/v1/orders", hears.ordersEnvelope(0, 0)); code != http.StatusForbidden || !strings.HasPrefix(string(text), wire.WrongTenant.String()+": ") {
		t.Errorf("sealed to the former key: %d %s", code, text)
	}
	if w.refusals("orders")[wire.WrongTenant.String()] != 1 {
		t.Errorf("counted %v", w.refusals("orders"))
	}
	if answer, err := http.Get(w.url + "/relay/v1/keys/" + hexOf(former)); err != nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("the former key is handed out: %v", err)
	}
	hears.tenant = key
	hears.orders(0, 0)
	w.a.seal = key
	w.enrolled("berlin", "relay-4")
	err = w.db.In(t.Context(), w.a.id, func(tx pgx.Tx) error {
		var left, audited int
		err := tx.QueryRow(t.Context(), `SELECT num_nonnulls(former_key, former_key_hash, former_private, rotated_at),
			(SELECT count(*) FROM assim.audit WHERE actor = 'operator' AND action IN ('tenant.key.rotate', 'tenant.key.retire')) FROM assim.tenants`).Scan(&left, &audited)
		if err == nil && (left != 0 || audited != 2) {
			t.Errorf("%d columns of the former key are left, %d changes audited", left, audited)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
