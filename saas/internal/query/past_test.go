package query

import (
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/saas/internal/graph"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Every question that looks back answers as it did, when all has gone and other
// things have come.
func TestAnswersOfThePast(t *testing.T) {
	s, tenant := newEstate(t)
	ask := func(q Query, asOf time.Time) []string {
		t.Helper()
		values := url.Values{}
		for _, p := range q.Parameters {
			if p.Name == "prefix" {
				values.Set(p.Name, "da")
				continue
			}
			values.Set(p.Name, map[Type]string{Host: "web", IP: "10.0.0.1", MAC: "02:00:00:00:00:01", Int: "80", String: "bash", Regex: "b.*", Duration: "1h"}[p.Type])
		}
		answer, err := s.Ask(t.Context(), tenant, q.Name, values, Page{Limit: 100, AsOf: asOf})
		if err != nil {
			t.Fatalf("%s as of %s: %v", q.Name, asOf, err)
		}
		return lines(t, answer)
	}
	was := map[string][]string{}
	for _, q := range s.queries {
		if q.LooksBack {
			was[q.Name] = ask(q, time.Time{})
		}
	}
	then := time.Now()
	replaceAll(t, s, tenant)
	differ := 0
	for _, q := range s.queries {
		if !q.LooksBack {
			continue
		}
		if got := ask(q, then); !slices.Equal(got, was[q.Name]) {
			t.Errorf("%s: as of then %q, then %q", q.Name, got, was[q.Name])
		}
		if !slices.Equal(ask(q, time.Time{}), was[q.Name]) {
			differ++
		}
	}
	if len(was) < 12 || differ < 10 {
		t.Errorf("%d questions look back, %d of them differ", len(was), differ)
	}
}

// replaceAll takes all out of the graph and puts another host in.
func replaceAll(t *testing.T, s *Service, tenant tenancy.TenantID) {
	t.Helper()
	err := s.db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		var d cmdb.Delta
		err := graph.Each(t.Context(), tx, tenant, func(v cmdb.Vertex) { d.GoneVertices = append(d.GoneVertices, v.Ref) }, func(cmdb.Edge) {})
		if err != nil {
			return err
		}
		at := time.Now()
		w := graph.NewWriter()
		if _, err := w.Apply(t.Context(), tx, tenant, []cmdb.Delta{d}, at); err != nil {
			return err
		}
		var other cmdb.Elements
		other.AddVertex(cmdb.Host, webID, map[string]any{"name": "web", "state": "down", "site": siteID})
		other.AddVertex(cmdb.Host, deadID, map[string]any{"name": "new", "state": "up", "site": siteID})
		_, err = w.Apply(t.Context(), tx, tenant, []cmdb.Delta{cmdb.Diff(cmdb.Elements{}, other)}, at.Add(time.Microsecond))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatCannotLookBackSaysSo(t *testing.T) {
	s, tenant := newEstate(t)
	for name, code := range map[string]web.Code{"down": web.NoLookingBack, "why": web.NoLookingBack, "allswitchports": web.NoLookingBack, "allips": web.NotHeld} {
		_, err := s.AskFor(t.Context(), web.Actor{Tenant: tenant}, name, nil, Page{Limit: 1, AsOf: time.Now().AddDate(-3, 0, 0)})
		if problem := (*web.Problem)(nil); !errors.As(err, &problem) || problem.Code != code {
			t.Errorf("%s three years ago: %v, want %s", name, err, code)
		}
	}
}
