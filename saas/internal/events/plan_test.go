package events

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store/storetest"
)

// A page of a long history reads a page of it: the indexes of the times and of
// verdicts are used under row-level security too.
func TestALongHistoryIsReadByIndex(t *testing.T) {
	ctx := t.Context()
	db, url := storetest.OpenURL(t)
	tenant, other := storetest.Tenant(t, db), storetest.Tenant(t, db)
	admin, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	host := tenancy.NewID[tenancy.HostID]()
	var site tenancy.SiteID
	for _, of := range []tenancy.TenantID{other, tenant} {
		site = tenancy.NewID[tenancy.SiteID]()
		fill := strings.NewReplacer("{tenant}", "'"+of.String()+"'", "{site}", "'"+site.String()+"'", "{host}", "'"+host.String()+"'")
		for _, sql := range []string{
			`INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES ({site}, {tenant}, 's', 'r', {site}::bytea, '')`,
			`INSERT INTO assim.verdicts (tenant, id, kind, site, count, since, at, over_at, ending, confidence, received_at)
				SELECT {tenant}, gen_random_uuid(), 'host down', {site}, 1, now(), now() - n * interval '1 s', now(), 'back', 50, now() FROM generate_series(1, 2000) n`,
			`INSERT INTO assim.verdict_hosts (tenant, verdict, host) SELECT tenant, id, CASE WHEN random() < 0.01 THEN {host}::uuid ELSE gen_random_uuid() END
				FROM assim.verdicts WHERE tenant = {tenant}`,
			`INSERT INTO assim.events (tenant, at, seen_at, type, site, host)
				SELECT {tenant}, now() - n * interval '1 s', now() - (n + random()) * interval '1 s', 'host.up', {site},
					CASE WHEN n % 500 = 0 THEN {host}::uuid ELSE gen_random_uuid() END FROM generate_series(1, 60000) n`,
			`INSERT INTO assim.events (tenant, at, seen_at, type, site, verdict) SELECT tenant, at, at, 'verdict.host-down', site, id FROM assim.verdicts WHERE tenant = {tenant}`,
		} {
			if _, err := admin.Exec(ctx, fill.Replace(sql)); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
	if _, err := admin.Exec(ctx, `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]*question{
		"newest":    {},
		"of a site": {where: []string{"e.site = $1"}, args: []any{site}},
		"of a host": {hosts: []tenancy.HostID{host}},
		"since":     {where: []string{happened + " >= $1"}, args: []any{time.Now().Add(-time.Minute)}},
		"followed":  {where: []string{"e.id > $1"}, args: []any{60_000}, order: "e.id"},
	} {
		if q.order == "" {
			q.order = happened + " DESC, e.id DESC"
		}
		err := db.Read(ctx, tenant, func(tx pgx.Tx) error {
			text := q.text(50)
			rows, err := tx.Query(ctx, `EXPLAIN (ANALYZE, COSTS OFF) `+text, q.args...)
			if err != nil {
				return err
			}
			plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
			all := strings.Join(plan, "\n")
			if strings.Contains(all, "Seq Scan on events") || strings.Contains(all, "Seq Scan on verdict_hosts") {
				t.Errorf("%s reads whole tables:\n%s", name, all)
			}
			if len(plan) > 0 {
				t.Log(name, plan[len(plan)-1])
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
