package store_test

import (
	"strings"
	"testing"

	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// What the operator sets for one tenant holds for it alone, and goes back to what
// holds for all.
func TestQuotasOfOneAndOfAll(t *testing.T) {
	db, url := storetest.OpenURL(t)
	one, other := storetest.Tenant(t, db), storetest.Tenant(t, db)
	n := func(v int64) *int64 { return &v }
	set := func(tenant string, to map[string]*int64) map[string]store.Quota {
		t.Helper()
		now, err := store.SetQuotas(t.Context(), url, tenant, to)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	set("", map[string]*int64{"hosts": n(10), "sites": n(3)})
	if now := set(one.String(), map[string]*int64{"hosts": n(20)}); now["hosts"] != (store.Quota{Limit: 20, Own: true}) || now["sites"] != (store.Quota{Limit: 3}) {
		t.Errorf("of one: %v", now)
	}
	if now := set(other.String(), nil); now["hosts"] != (store.Quota{Limit: 10}) {
		t.Errorf("of the other: %v", now)
	}
	all, err := store.Tenants(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range all {
		if want := map[bool]int64{true: 20, false: 10}[tenant.ID == one]; tenant.MaxHosts != want || tenant.Own != (tenant.ID == one) {
			t.Errorf("%+v", tenant)
		}
	}
	if now := set(one.String(), map[string]*int64{"hosts": nil}); now["hosts"] != (store.Quota{Limit: 10}) {
		t.Errorf("gone back: %v", now)
	}
	for want, bad := range map[string]struct {
		tenant string
		set    map[string]*int64
	}{
		"no tenant is called": {"nobody", nil},
		"none of the quotas":  {one.String(), map[string]*int64{"tenant": n(1)}},
		"too few":             {one.String(), map[string]*int64{"questions": n(0)}},
		"needs a number":      {"", map[string]*int64{"hosts": nil}},
	} {
		if _, err := store.SetQuotas(t.Context(), url, bad.tenant, bad.set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", bad, err, want)
		}
	}
}
