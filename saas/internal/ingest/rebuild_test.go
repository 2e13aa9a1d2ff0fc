package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/sockets"
	"assimilation/tenancy/store"
)

func TestRebuildMendsWhateverIsDamaged(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	for i := range 3 {
		p := r.probe(t, fmt.Sprint("h", i))
		p.put(t, os.Kind, "", osFacts("12"))
		p.put(t, network.Kind, "", links(fmt.Sprintf("eth0=10.0.0.%d", i+1)))
		p.put(t, neighbours.Kind, "", seen("eth0=10.0.0.9", "eth7=10.0.0.8"))
		p.put(t, sockets.Kind, "", services(t, fmt.Sprintf("a <10.0.0.%d:80 >10.0.0.1:80", i+1)))
		p.install(t, "bash=5", "dash=1", fmt.Sprint("apt=", i))
	}
	r.flush(t)
	f.consistent(t)
	want := f.elements(t)
	g := store.Graph(f.tenant)
	for _, damage := range []string{
		`DELETE FROM %s."CONTAINS"`,
		`DELETE FROM %s."Host"`, // leaves dangling edges
		`DELETE FROM %s."Endpoint"`,
		`UPDATE %s."Service" SET properties = '{"name": "odd"}'`, // no key any more
		`UPDATE %s."OS" SET properties = properties || '{"more": 1.5}'::agtype`,
		`UPDATE %s."SEES" SET properties = '{}'`,
		`INSERT INTO %[1]s."Package" (id, properties) SELECT _graphid(id, nextval('%[1]s."Package_id_seq"')), '{"key": "stray"}' FROM assim.labels WHERE name = 'Package'`,
		`INSERT INTO %[1]s."RUNS_OS" (id, start_id, end_id, properties) SELECT _graphid(l.id, nextval('%[1]s."RUNS_OS_id_seq"')), h.id, o.id, '{}' FROM assim.labels l, %[1]s."Host" h, %[1]s."OS" o WHERE l.name = 'RUNS_OS' ON CONFLICT DO NOTHING`,
	} {
		f.exec(t, fmt.Sprintf(damage, g))
		report, err := f.service.Rebuild(t.Context(), f.tenant)
		if err != nil {
			t.Fatalf("%s: %v", damage, err)
		}
		if report.Checked != int64(len(want)) {
			t.Errorf("%s: checked %d elements of %d", damage, report.Checked, len(want))
		}
		if got := f.elements(t); !slices.Equal(got, want) {
			t.Errorf("%s: not mended", damage)
		}
		f.consistent(t)
	}
}

// A stream must go on when the graph was damaged behind its back.
func TestDamagedGraphIsRebuiltWhenABatchMeetsIt(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	r.flush(t)
	f.exec(t, fmt.Sprintf(`DELETE FROM %s."Host"`, store.Graph(f.tenant)))
	p.put(t, os.Kind, "", osFacts("12"))
	r.flush(t)
	f.consistent(t)
}

func TestForgottenHostLeavesHistoryOnly(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	kept := r.probe(t, "kept")
	gone := r.probe(t, "gone")
	kept.put(t, os.Kind, "", osFacts("12"))
	kept.install(t, "bash=5")
	r.flush(t)
	before := f.elements(t)
	before = slices.DeleteFunc(before, func(l string) bool { return strings.Contains(l, gone.id.String()) })
	gone.put(t, os.Kind, "", osFacts("11"))
	gone.put(t, network.Kind, "", links("eth0=10.0.0.1"))
	gone.put(t, neighbours.Kind, "", seen("eth0=10.0.0.2"))
	gone.install(t, "bash=5", "dash=2")
	r.flush(t)
	f.in(t, func(tx pgx.Tx) error {
		if err := f.service.Forget(t.Context(), tx, f.tenant, gone.id, time.Now()); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `UPDATE assim.hosts SET retired_at = now() WHERE id = $1`, gone.id)
		return err
	})
	if after := f.elements(t); !slices.Equal(after, before) {
		t.Errorf("left behind: %q", slices.DeleteFunc(after, func(l string) bool { return slices.Contains(before, l) }))
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.fact_versions WHERE host = $1 AND hash IS NULL`, gone.id); n != 19 {
		t.Errorf("%d facts are told to be gone, want 19", n)
	}
	f.consistent(t)
}
