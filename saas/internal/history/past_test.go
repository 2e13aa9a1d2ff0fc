package history_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/saas/internal/history"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// What is seen of any time later is what was there then: of facts, of the
// elements of a host, and of whole tables, whatever came, changed, went and came
// again in between.
func TestThePastIsWhatWasThere(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	e := newEstate(t)
	var hosts []tenancy.HostID
	for i := range 4 {
		hosts = append(hosts, e.host(t, fmt.Sprint("h", i)))
	}
	snaps := []snapshot{e.now(t, hosts, e.flush(t))}
	for range 40 {
		for range 1 + random.IntN(6) {
			e.change(t, random, hosts)
		}
		snaps = append(snaps, e.now(t, hosts, e.flush(t)))
	}
	if err := e.db.In(t.Context(), e.source.Tenant, func(tx pgx.Tx) error {
		return e.service.Forget(t.Context(), tx, e.source.Tenant, hosts[0], time.Now())
	}); err != nil {
		t.Fatal(err)
	}
	for i, want := range snaps {
		got := e.past(t, hosts, want.at)
		compare(t, fmt.Sprint("facts, step ", i), got.facts, want.facts)
		compare(t, fmt.Sprint("elements, step ", i), got.elements, want.elements)
		compare(t, fmt.Sprint("tables, step ", i), got.tables, want.tables)
	}
}

func (e *estate) change(t *testing.T, random *rand.Rand, hosts []tenancy.HostID) {
	h, n := hosts[random.IntN(len(hosts))], random.IntN(4)
	switch random.IntN(6) {
	case 0:
		e.put(t, h, os.Kind, "", release(fmt.Sprint(n)))
	case 1:
		e.put(t, h, network.Kind, "", link(fmt.Sprint("eth", n%2), address(n)))
	case 2:
		e.put(t, h, sockets.Kind, "", serving(fmt.Sprint("s", n%3), address(n), 80, address(n+1), 80))
	case 3:
		name := fmt.Sprint("p", n)
		e.put(t, h, packages.Kind, packages.Instance(name), installed(name, fmt.Sprint(random.IntN(3))))
	default:
		name := fmt.Sprint("p", n)
		kind := []string{"os", "network", "sockets", "packages"}[random.IntN(4)]
		instance := ""
		if kind == "packages" {
			instance = packages.Instance(name)
		}
		e.drop(t, h, kind, instance)
	}
}

// snapshot is all there is to see at a time, as sorted lines.
type snapshot struct {
	at                      time.Time
	facts, elements, tables []string
}

// now reads the present without the package under test.
func (e *estate) now(t *testing.T, hosts []tenancy.HostID, at time.Time) snapshot {
	t.Helper()
	s := snapshot{at: at}
	e.read(t, func(tx pgx.Tx) (err error) {
		s.facts, err = lines(t, tx, `SELECT concat_ws(' ', host, kind, instance, encode(hash, 'hex')) FROM assim.facts`)
		if err != nil {
			return err
		}
		s.tables, err = e.tables(t, tx, func(name string) string {
			return pgx.Identifier{store.Graph(e.source.Tenant), name}.Sanitize()
		}, func(statement string) string { return statement })
		return err
	})
	s.elements = ofHosts(s.tables, hosts)
	return s
}

// past reads a time through the package under test.
func (e *estate) past(t *testing.T, hosts []tenancy.HostID, at time.Time) snapshot {
	t.Helper()
	s := snapshot{at: at}
	e.read(t, func(tx pgx.Tx) (err error) {
		for _, h := range hosts {
			facts, ok, err := history.FactsAt(t.Context(), tx, h, history.Choice{Bodies: true}, at, 1<<20)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			for _, f := range facts {
				s.facts = append(s.facts, strings.Join(strings.Fields(fmt.Sprint(h, " ", f.Kind, " ", f.Instance, " ", f.HashText())), " "))
				if len(f.Packed) == 0 || f.At.After(at) {
					t.Errorf("%s of %s as of %s: %d bytes of body, at %s", f.Kind, h, at, len(f.Packed), f.At)
				}
			}
			found, more, err := history.HostAt(t.Context(), tx, e.source.Tenant, h, at)
			if err != nil || more {
				t.Fatal(more, err)
			}
			for _, v := range found.Vertices {
				if strings.HasPrefix(v.Key, h.String()) {
					s.elements = append(s.elements, fmt.Sprint(v.Label, " ", v.Key, " ", canonical(t, v.Props)))
				}
			}
			for _, edge := range found.Edges {
				s.elements = append(s.elements, fmt.Sprint(edge.Type, " ", edge.From, " -> ", edge.To, " ", canonical(t, edge.Props)))
			}
		}
		past := history.NewTables(e.source.Tenant, literal(at))
		s.tables, err = e.tables(t, tx, past.Table, past.With)
		return err
	})
	slices.Sort(s.facts)
	slices.Sort(s.elements)
	return s
}

// tables reads all elements from what stands for their tables; edges by their
// ends' keys, which are found by id.
func (e *estate) tables(t *testing.T, tx pgx.Tx, table, with func(string) string) ([]string, error) {
	var all []string
	for _, v := range cmdb.Vertices {
		found, err := lines(t, tx, with(fmt.Sprintf(`SELECT concat_ws(' ', '%s', properties ->> 'key'::text, (ag_catalog.agtype_out(properties)::text::jsonb - 'key')::text) FROM %s v`,
			v.Label, table(string(v.Label)))))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	for _, edge := range cmdb.Edges {
		found, err := lines(t, tx, with(fmt.Sprintf(`SELECT concat_ws(' ', '%s', a.properties ->> 'key'::text, '->', z.properties ->> 'key'::text, ag_catalog.agtype_out(e.properties)::text::jsonb)
			FROM %s e JOIN %s a ON a.id = e.start_id JOIN %s z ON z.id = e.end_id`,
			edge.Type, table(string(edge.Type)), table(string(edge.From)), table(string(edge.To)))))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return all, nil
}

// ofHosts keeps what hosts own, and the edges that leave it.
func ofHosts(all []string, hosts []tenancy.HostID) []string {
	var own []string
	for _, line := range all {
		words := strings.SplitN(line, " ", 3)
		for _, h := range hosts {
			if strings.HasPrefix(words[1], h.String()) {
				own = append(own, line)
			}
		}
	}
	return own
}

func lines(t *testing.T, tx pgx.Tx, sql string) ([]string, error) {
	rows, err := tx.Query(t.Context(), sql)
	if err != nil {
		return nil, fmt.Errorf("%w in %s", err, sql)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	slices.Sort(all)
	for i := range all {
		all[i] = strings.Join(strings.Fields(all[i]), " ")
	}
	slices.Sort(all)
	if err != nil {
		return nil, fmt.Errorf("%w in %s", err, sql)
	}
	return all, nil
}

func literal(at time.Time) string {
	return "'" + at.UTC().Format(time.RFC3339Nano) + "'::timestamptz"
}

// canonical is properties as Postgres writes jsonb.
func canonical(t *testing.T, props map[string]any) string {
	names := make([]string, 0, len(props))
	for name := range props {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names {
		value, err := json.Marshal(props[name])
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, fmt.Sprintf("%q: %s", name, value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s: lacks %s", what, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s: has too %s", what, line)
		}
	}
	if !t.Failed() {
		t.Errorf("%s: %d lines, want %d", what, len(got), len(want))
	}
}
