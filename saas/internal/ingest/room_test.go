package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery/os"
	"assimilation/saas/internal/quota"
	"assimilation/wire"
)

// allow sets a quota of the fixture's tenant, as the operator does.
func (f *fixture) allow(t *testing.T, name string, n int64) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `INSERT INTO assim.quotas (tenant, `+name+`) VALUES ($1, $2) ON CONFLICT (tenant) DO UPDATE SET `+name+` = $2`, f.tenant, n)
	if err != nil {
		t.Fatal(err)
	}
}

// keep does what is due of quotas.
func (f *fixture) keep(t *testing.T) {
	t.Helper()
	if err := (&quota.Service{DB: f.db, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}).Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) toldOfQuotas(t *testing.T) []string {
	t.Helper()
	return column[string](t, f, `SELECT type || ' ' || (detail->>'quota') FROM assim.events WHERE type LIKE 'quota.%' ORDER BY id`)
}

// A host for which there is no room is refused with one event, whatever comes of
// it; the others go on; and when there is room it is asked for.
func TestNoMoreHostsThanTheTenantMayHave(t *testing.T) {
	f := newFixture(t)
	f.allow(t, "hosts", 2)
	r := f.relay(t)
	first, second, third := r.probe(t, "first"), r.probe(t, "second"), r.probe(t, "third")
	for _, p := range []*probe{first, second, third} {
		p.put(t, os.Kind, "", osFacts("12"))
	}
	r.flush(t)
	third.put(t, os.Kind, "", osFacts("13")) // in a batch that does not introduce it
	first.put(t, os.Kind, "", osFacts("13"))
	r.flush(t)
	names := func() []string { return column[string](t, f, `SELECT name FROM assim.hosts ORDER BY name`) }
	if got := names(); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("hosts %q", got)
	}
	refusals := column[string](t, f, `SELECT (detail->>'reason') || ': ' || (detail->>'detail') FROM assim.events WHERE type = 'refusal'`)
	if len(refusals) != 1 || refusals[0] != "over quota: third is one host more than the tenant's 2" {
		t.Errorf("refusals %q", refusals)
	}
	f.keep(t)
	f.keep(t)
	if got := f.toldOfQuotas(t); !slices.Equal(got, []string{"quota.reached hosts"}) {
		t.Errorf("told %q", got)
	}

	f.allow(t, "hosts", 10)
	f.keep(t)
	if got := f.toldOfQuotas(t); !slices.Equal(got, []string{"quota.reached hosts", "quota.room hosts"}) {
		t.Errorf("told %q", got)
	}
	// The relay goes on, is told that nothing of it is known, and begins anew.
	first.put(t, os.Kind, "", osFacts("14"))
	if ack := r.send(t, uint64(len(r.records)), uint64(len(r.records))); ack.Position != 0 {
		t.Fatalf("ack %+v", ack)
	}
	r.restart(8)
	for name, p := range map[string]*probe{"first": first, "second": second, "third": third} {
		p.introduce(t, name)
		p.put(t, os.Kind, "", osFacts("14"))
	}
	r.flush(t)
	if got := names(); !slices.Equal(got, []string{"first", "second", "third"}) {
		t.Errorf("hosts %q", got)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.facts WHERE host = $1`, third.id); n != 1 {
		t.Errorf("%d facts of the host that had no room", n)
	}
	if left := value[int](t, f, `SELECT count(*) FROM assim.refused_hosts`); left != 0 {
		t.Errorf("%d hosts are still refused", left)
	}
	f.consistent(t)
}

// Of a relay that makes up hosts, so many are remembered, and then none is told of.
func TestSoManyRefusedHostsAreRemembered(t *testing.T) {
	f := newFixture(t)
	f.allow(t, "hosts", 0)
	r := f.relay(t)
	f.exec(t, `INSERT INTO assim.refused_hosts (tenant, host, relay, name, refused_at) SELECT $1, gen_random_uuid(), $2, n::text, now() FROM generate_series(2, $3::bigint) n`,
		f.tenant, r.source.Relay, maxRefused)
	last, beyond := r.probe(t, "last"), r.probe(t, "beyond")
	r.flush(t)
	for _, p := range []*probe{last, beyond} {
		p.put(t, os.Kind, "", osFacts("12"))
	}
	r.flush(t)
	if n := value[int64](t, f, `SELECT count(*) FROM assim.refused_hosts`); n != maxRefused {
		t.Errorf("%d hosts are remembered, want %d", n, maxRefused)
	}
	if told := column[string](t, f, `SELECT detail->>'detail' FROM assim.events WHERE type = 'refusal'`); len(told) != 1 || !strings.HasPrefix(told[0], "last ") {
		t.Errorf("told %q", told)
	}
}

// What is refused leaves events, which take room: a relay that tells nothing else is
// held in the end, too.
func TestRefusalsTakeRoom(t *testing.T) {
	f := newFixture(t)
	f.allow(t, "hosts", 0)
	r := f.relay(t)
	const many = 20
	for i := range many {
		r.probe(t, fmt.Sprint("host-", i))
	}
	r.flush(t)
	events := value[int64](t, f, `SELECT sum(pg_column_size(detail)) FROM assim.events WHERE type = 'refusal'`)
	if bytes := value[int64](t, f, `SELECT bytes FROM assim.usage`); events == 0 || bytes < events+many*200 {
		t.Errorf("%d bytes are counted for %d of events", bytes, events)
	}
}

// Beyond the changes of a day, and beyond the storage, batches wait: nothing of
// them is taken, and all of it when there is room.
func TestBatchesWaitBeyondChangesAndStorage(t *testing.T) {
	for name, limit := range map[string]int64{"changes": 20, "bytes": 5000} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.allow(t, name, limit)
			r := f.relay(t)
			p := r.probe(t, "web")
			for i := range 21 {
				p.put(t, os.Kind, "", osFacts(fmt.Sprint(i)))
			}
			r.flush(t) // the one that reaches it is taken whole
			p.put(t, os.Kind, "", osFacts("held"))
			header, payload := r.batch(t, uint64(len(r.records)), uint64(len(r.records)))
			_, err := f.service.Apply(t.Context(), r.source, header, payload)
			refused, ok := errors.AsType[*wire.Error](err)
			if !ok || refused.Reason != wire.OverQuota || !refused.Reason.Temporary() || !strings.Contains(refused.What, fmt.Sprint(limit)) {
				t.Fatalf("the batch beyond: %v", err)
			}
			f.keep(t)
			want := []string{"quota.reached " + map[string]string{"changes": "changes", "bytes": "storage"}[name]}
			if got := f.toldOfQuotas(t); !slices.Equal(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
			if held := value[bool](t, f, `SELECT held_at > now() - interval '10 minutes' FROM assim.usage`); !held {
				t.Error("nobody noted that a batch waits")
			}
			f.allow(t, name, 1_000_000_000)
			r.flush(t)
			if n := value[int](t, f, `SELECT count(*) FROM assim.fact_versions`); n != 22 {
				t.Errorf("%d versions, want 22", n)
			}
			day := value[int64](t, f, `SELECT changes FROM assim.usage_days`)
			used := value[float64](t, f, `SELECT changes FROM assim.usage`)
			if day != 22 || used > 22 || used < 10 {
				t.Errorf("%d changes today, %v of the last 24 hours; want 22", day, used)
			}
		})
	}
}
