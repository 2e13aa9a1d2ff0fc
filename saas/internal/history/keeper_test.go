package history_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery/os"
	"assimilation/saas/internal/history"
	"assimilation/saas/internal/idempotency"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

func keep(t *testing.T, e *estate) {
	t.Helper()
	k := &history.Keeper{DB: e.db, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if err := k.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, e *estate, sql string, args ...any) (n int) {
	t.Helper()
	e.read(t, func(tx pgx.Tx) error { return tx.QueryRow(context.Background(), sql, args...).Scan(&n) })
	return n
}

// What others want forgotten is visited once a day.
func TestTheKeeperVisitsOthersDaily(t *testing.T) {
	e := newEstate(t)
	visits := 0
	k := &history.Keeper{DB: e.db, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Also: func(ctx context.Context, tx pgx.Tx) error {
		visits++
		return idempotency.Forget(ctx, tx)
	}}
	e.admin(t, `INSERT INTO assim.answers (tenant, key, fingerprint, begun_at) SELECT tenant, sha256(n::text::bytea), '\x00', now() - make_interval(hours => n) FROM assim.history, generate_series(20, 29) n`)
	e.admin(t, `UPDATE assim.history SET kept_at = now() - interval '25 hours'`)
	for range 2 {
		if err := k.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// A reader may not see answers.
	var left int
	e.in(t, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM assim.answers`).Scan(&left)
	})
	if visits != 1 || left != 4 {
		t.Errorf("%d visits, %d answers are left; want 1 and 4", visits, left)
	}
}

// longAgo moves all that happened so far 60 days back.
func (e *estate) longAgo(t *testing.T) {
	t.Helper()
	for _, table := range []string{"fact_versions", "undo", "facts"} {
		e.admin(t, `UPDATE assim.`+table+` SET at = at - interval '60 days'`)
	}
	e.admin(t, `UPDATE assim.history SET facts_from = now() - interval '80 days', graph_from = now() - interval '80 days'`)
}

func (e *estate) set(t *testing.T, factDays, graphDays int) {
	t.Helper()
	s := &history.Service{DB: e.db}
	if _, err := s.Set(t.Context(), web.Actor{Tenant: e.source.Tenant}, factDays, graphDays); err != nil {
		t.Fatal(err)
	}
}

func TestForgettingLosesNothingThatIs(t *testing.T) {
	short := newEstate(t)
	long := newTenant(t, short)
	var hosts [2][]tenancy.HostID
	for i, e := range []*estate{short, long} {
		h := e.host(t, "h")
		for n := range 5 {
			e.put(t, h, os.Kind, "", release(fmt.Sprint(n)))
		}
		hosts[i] = []tenancy.HostID{h}
		e.flush(t)
	}
	short.longAgo(t)
	var then, is [2]snapshot
	for i, e := range []*estate{short, long} {
		then[i] = e.now(t, hosts[i], time.Now().Add(-24*time.Hour))
		e.put(t, hosts[i][0], os.Kind, "", release("new"))
		is[i] = e.now(t, hosts[i], e.flush(t))
	}
	short.set(t, 10, 10)
	keep(t, short)

	for i, e := range []*estate{short, long} {
		now := e.now(t, hosts[i], is[i].at)
		compare(t, "facts that are", now.facts, is[i].facts)
		compare(t, "graph that is", now.tables, is[i].tables)
		if report, err := e.service.Rebuild(t.Context(), e.source.Tenant); err != nil || report.Changed != 0 || report.Skipped != 0 {
			t.Errorf("the graph is not what the facts say: %+v, %v", report, err)
		}
		past := e.past(t, hosts[i], then[i].at)
		compare(t, "facts of yesterday", past.facts, then[i].facts)
		compare(t, "graph of yesterday", past.tables, then[i].tables)
	}
	// The first of five releases, of which only the last and the new one are in reach.
	for _, want := range []struct {
		e                *estate
		versions, bodies int
		held             bool
	}{{short, 1, 2, false}, {long, 6, 6, true}} {
		if n := count(t, want.e, `SELECT count(*) FROM assim.fact_versions`); n != want.versions {
			t.Errorf("%d versions are held, want %d", n, want.versions)
		}
		if n := count(t, want.e, `SELECT count(*) FROM assim.fact_bodies`); n != want.bodies {
			t.Errorf("%d bodies are held, want %d", n, want.bodies)
		}
		for _, allowed := range []func(context.Context, pgx.Tx, time.Time) error{history.Facts, history.Graph} {
			err := want.e.db.Read(t.Context(), want.e.source.Tenant, func(tx pgx.Tx) error {
				return allowed(t.Context(), tx, time.Now().Add(-20*24*time.Hour))
			})
			problem := (*web.Problem)(nil)
			if want.held != (err == nil) || err != nil && (!errors.As(err, &problem) || problem.Status != 410 || problem.Code != web.NotHeld) {
				t.Errorf("looking back 20 days: %v", err)
			}
		}
	}
	if n := count(t, short, `SELECT count(*) FROM assim.undo`); n == 0 {
		t.Error("no undo is left of what changed today")
	}
	// Held for longer again, what went does not come back.
	short.set(t, 400, 400)
	keep(t, short)
	err := short.db.Read(t.Context(), short.source.Tenant, func(tx pgx.Tx) error {
		return history.Facts(t.Context(), tx, time.Now().Add(-20*24*time.Hour))
	})
	if err == nil {
		t.Error("a past that was forgotten is shown")
	}
	err = short.db.Read(t.Context(), short.source.Tenant, func(tx pgx.Tx) error { return history.Facts(t.Context(), tx, time.Now().Add(time.Hour)) })
	if problem := (*web.Problem)(nil); !errors.As(err, &problem) || problem.Status != 422 {
		t.Errorf("looking ahead: %v", err)
	}
}

// Partitions are made in advance and go as a whole, when the tenant who wants the
// longest past is past them.
func TestPartitionsComeAndGo(t *testing.T) {
	e := newEstate(t)
	h := e.host(t, "h")
	e.put(t, h, os.Kind, "", release("1"))
	e.put(t, h, os.Kind, "", release("2"))
	e.flush(t)
	e.longAgo(t)
	for table, span := range map[string]string{"fact_versions": "month", "undo": "week"} {
		e.admin(t, fmt.Sprintf(`ALTER TABLE assim.%[1]s DETACH PARTITION assim.%[1]s_first`, table))
		e.admin(t, fmt.Sprintf(`DO $$ BEGIN EXECUTE format('ALTER TABLE assim.%[1]s ATTACH PARTITION assim.%[1]s_first FOR VALUES FROM (MINVALUE) TO (%%L)',
			date_trunc('%[2]s', now() - interval '12 days', 'UTC')); END $$`, table, span))
	}
	partitions := func() (n int) {
		return count(t, e, `SELECT count(*)::int FROM pg_inherits WHERE inhparent IN ('assim.undo'::regclass, 'assim.fact_versions'::regclass)`)
	}
	rows := func() int {
		return count(t, e, `SELECT (SELECT count(*) FROM assim.fact_versions) + (SELECT count(*) FROM assim.undo)`)
	}
	before, had := partitions(), rows()
	keep(t, e)
	made := partitions()
	if made < before+5 || rows() != had || had == 0 {
		t.Fatalf("%d partitions after %d, %d rows after %d", made, before, rows(), had)
	}
	e.put(t, h, os.Kind, "", release("3"))
	e.flush(t)
	for _, table := range []string{"fact_versions", "undo"} {
		if n := count(t, e, `SELECT count(*) FROM assim.`+table+` WHERE tableoid = ('assim.`+table+`_default')::regclass`); n > 0 {
			t.Errorf("%d new rows of %s found no partition", n, table)
		}
	}
	is := rows()
	e.set(t, 10, 10)
	keep(t, e)
	if partitions() != made-2 || rows() != is-had {
		t.Errorf("%d partitions after %d, %d rows after %d of which %d were old", partitions(), made, rows(), is, had)
	}
	keep(t, e)
	if partitions() != made-2 {
		t.Errorf("%d partitions when it was done again", partitions())
	}
}

// Bodies that lost their last reference come back into use while they are
// collected; none may go that a fact refers to.
func TestCollectingBesideWriters(t *testing.T) {
	e := newEstate(t)
	h := e.host(t, "h")
	e.flush(t)
	done := make(chan error)
	ctx, stop := context.WithCancel(t.Context())
	k := &history.Keeper{DB: e.db, Log: slog.New(slog.DiscardHandler)}
	go func() {
		for ctx.Err() == nil {
			err := e.db.In(ctx, e.source.Tenant, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE assim.history SET kept_at = '-infinity'`)
				return err
			})
			if err == nil {
				err = k.Keep(ctx)
			}
			if err != nil && ctx.Err() == nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for n := range 60 {
		e.put(t, h, os.Kind, "", release(fmt.Sprint(n%3)))
		e.flush(t)
		e.admin(t, `DELETE FROM assim.fact_versions WHERE at < now() - interval '30 milliseconds'`)
		if lost := count(t, e, `SELECT count(*) FROM assim.facts f WHERE NOT EXISTS (SELECT FROM assim.fact_bodies b WHERE b.hash = f.hash)`); lost > 0 {
			t.Fatalf("step %d: the body of a fact is gone", n)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	e.admin(t, `DELETE FROM assim.fact_versions`)
	e.admin(t, `UPDATE assim.history SET kept_at = '-infinity'`)
	keep(t, e)
	if n := count(t, e, `SELECT count(*) FROM assim.fact_bodies`); n != 1 {
		t.Errorf("%d bodies are left, want the one that is", n)
	}
}

func TestNobodySeesTheirPast(t *testing.T) {
	a := newEstate(t)
	b := newTenant(t, a)
	h := a.host(t, "secret")
	a.put(t, h, os.Kind, "", release("1"))
	at := a.flush(t)
	a.put(t, h, os.Kind, "", release("2"))
	a.flush(t)
	if seen := a.past(t, []tenancy.HostID{h}, at); len(seen.facts) != 1 || len(seen.tables) == 0 {
		t.Fatalf("its own past is %+v", seen)
	}
	if seen := b.past(t, []tenancy.HostID{h}, at); len(seen.facts)+len(seen.elements)+len(seen.tables) > 0 {
		t.Errorf("another's past is %+v", seen)
	}
	err := b.db.Read(t.Context(), b.source.Tenant, func(tx pgx.Tx) error {
		_, _, err := history.HostAt(t.Context(), tx, a.source.Tenant, h, at)
		return err
	})
	if err == nil {
		t.Error("another's graph can be named")
	}
	versions := count(t, a, `SELECT count(*) FROM assim.fact_versions`)
	a.longAgo(t)
	b.set(t, 7, 7)
	keep(t, b)
	if n := count(t, a, `SELECT count(*) FROM assim.fact_versions`); n != versions {
		t.Errorf("%d of %d versions are left when another wants a short past", n, versions)
	}
}
