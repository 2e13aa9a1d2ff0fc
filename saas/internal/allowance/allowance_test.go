package allowance_test

import (
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/allowance"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

const tokenID = "abcDEF012345"

// site makes a site with relays and one token, and returns the relays.
func site(t *testing.T, db *store.DB, tenant tenancy.TenantID, relays int, maxUses int64) []tenancy.RelayID {
	t.Helper()
	id := tenancy.NewID[tenancy.SiteID]()
	ids := make([]tenancy.RelayID, relays)
	err := db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO sites (id, tenant, name, realm, site_key, site_private) VALUES ($1, $2, 'berlin', 'r', $3, '')`,
			id, tenant, []byte(rand.Text()))
		if err != nil {
			return err
		}
		for i := range ids {
			ids[i] = tenancy.NewID[tenancy.RelayID]()
			_, err := tx.Exec(t.Context(), `
				INSERT INTO relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate) VALUES ($1, $2, $3, 'r', '', '', $4, '', '')`,
				ids[i], tenant, id, []byte(rand.Text()))
			if err != nil {
				return err
			}
		}
		_, err = tx.Exec(t.Context(), `INSERT INTO tokens (id, tenant, site, kind, hash, max_uses) VALUES ($1, $2, $3, 'enr', '', $4)`, tokenID, tenant, id, maxUses)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// Many relays ask and count at once; whatever the order, no more uses are
// leased or counted than the token has, and in the end all are.
func TestConcurrentRelaysNeverOverspend(t *testing.T) {
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	const limit = 40
	relays := site(t, db, tenant, 4, limit)
	var wait sync.WaitGroup
	for _, relay := range relays {
		wait.Go(func() {
			var counted int64
			for {
				var granted int64
				err := db.In(t.Context(), tenant, func(tx pgx.Tx) (err error) {
					granted, _, err = allowance.Grant(t.Context(), tx, tenant, relay, tokenID)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				if granted <= counted {
					return // nothing is free any more
				}
				for ; counted < granted; counted++ {
					err := db.In(t.Context(), tenant, func(tx pgx.Tx) error {
						return allowance.Count(t.Context(), tx, tenant, allowance.Use{Relay: relay, Token: tokenID, Host: tenancy.NewID[tenancy.HostID](), By: "host", At: time.Now()})
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
	var uses, granted, used int64
	err := db.Read(t.Context(), tenant, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT (SELECT uses FROM tokens), sum(granted)::bigint, sum(used)::bigint FROM token_leases`).Scan(&uses, &granted, &used)
	})
	if err != nil {
		t.Fatal(err)
	}
	if uses != limit || granted != limit || used != limit {
		t.Errorf("%d uses, %d granted, %d used, want %d each", uses, granted, used, limit)
	}
}

func TestReleaseGivesBackWhatWasNotUsed(t *testing.T) {
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	relays := site(t, db, tenant, 2, 10)
	err := db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		if granted, _, err := allowance.Grant(t.Context(), tx, tenant, relays[0], tokenID); err != nil || granted != 5 {
			t.Errorf("granted %d, %v", granted, err)
		}
		if err := allowance.Count(t.Context(), tx, tenant, allowance.Use{Relay: relays[0], Token: tokenID, Host: tenancy.NewID[tenancy.HostID](), By: "host", At: time.Now()}); err != nil {
			return err
		}
		if err := allowance.Release(t.Context(), tx, relays[0]); err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), `UPDATE relays SET revoked_at = now() WHERE id = $1`, relays[0]); err != nil {
			return err
		}
		if granted, used, err := allowance.Grant(t.Context(), tx, tenant, relays[1], tokenID); err != nil || granted != 9 || used != 0 {
			t.Errorf("the other relay got %d, %v", granted, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAHostIsOneUse(t *testing.T) {
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	relays := site(t, db, tenant, 2, 10)
	host := tenancy.NewID[tenancy.HostID]()
	err := db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		for _, relay := range relays {
			if _, _, err := allowance.Grant(t.Context(), tx, tenant, relay, tokenID); err != nil {
				return err
			}
			for range 2 { // the second time by a relay that was restored
				use := allowance.Use{Relay: relay, Token: tokenID, Host: host, By: "host", At: time.Now().Add(time.Hour)}
				if err := allowance.Count(t.Context(), tx, tenant, use); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var uses, used int64
	var future bool
	err = db.Read(t.Context(), tenant, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT uses, (SELECT sum(used) FROM token_leases)::bigint, last_used_at > clock_timestamp() FROM tokens`).Scan(&uses, &used, &future)
	})
	if err != nil || uses != 1 || used != 2 || future {
		t.Errorf("%d uses, %d of leases, in the future %v, %v; want 1 use and one of each lease", uses, used, future, err)
	}
}
