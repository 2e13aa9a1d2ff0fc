package query

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

// Switches stay in the site: its relay is asked, and if it cannot be, the answer
// says so beside what it has.
func TestSharedFateAsksForSwitches(t *testing.T) {
	s, tenant := newEstate(t)
	host := func(id string) tenancy.HostID {
		parsed, err := tenancy.ParseID[tenancy.HostID](id)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	// The database gets a web server too.
	err := s.db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `SELECT * FROM cypher('`+store.Graph(tenant)+`', $q$
			MATCH (d:Host {key: '`+dbID+`'}) CREATE (d)-[:RUNS]->(s:Service {key: 'd/2', name: 'nginx'})-[:LISTENS_ON]->(:Endpoint {key: 's|10.0.0.2|tcp|80', ip: '10.0.0.2', port: 80, protocol: 'tcp', realm: 's'}) $q$) AS (r agtype)`)
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), `SELECT * FROM cypher('`+store.Graph(tenant)+`', $q$ MATCH (e:Endpoint) SET e.realm = 's' $q$) AS (r agtype)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wired := uplink.Topology{Switches: []uplink.TopologySwitch{{Chassis: "c1", Name: "sw1", Ports: []uplink.TopologyPort{{Host: host(webID)}, {Host: host(dbID)}}}}}
	for name, test := range map[string]struct {
		problem error
		rows    []string
		note    string
	}{
		"told":    {nil, []string{`["site","cellar",2,2,"DB, web"]`, `["switch","sw1 c1",2,2,"DB, web"]`}, ""},
		"silent":  {web.NewProblem(504, web.Unavailable, "silent since yesterday"), []string{`["site","cellar",2,2,"DB, web"]`}, "The switches of cellar are not known: silent since yesterday."},
		"failing": {errors.New("password of the database"), []string{`["site","cellar",2,2,"DB, web"]`}, "The switches of cellar are not known: its relays could not be asked."},
	} {
		asked := 0
		s.Topology = func(_ context.Context, actor web.Actor, site string) (uplink.Topology, error) {
			asked++
			if site != siteID || actor.Tenant != tenant {
				t.Errorf("%s: site %s was asked as %s", name, site, actor.Tenant)
			}
			return wired, test.problem
		}
		answer, err := s.AskFor(t.Context(), web.Actor{Tenant: tenant, Role: tenancy.Operator}, "shared-fate", url.Values{"service": {"nginx"}}, Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if got := lines(t, answer); !slices.Equal(got, test.rows) || answer.Note != test.note || asked != 1 {
			t.Errorf("%s: %s, note %q, asked %d times", name, strings.Join(got, "\n"), answer.Note, asked)
		}
	}
}

// FuzzParameters reads whatever people send: nothing panics, and nothing that is
// accepted is longer than allowed or breaks out of its JSON.
func FuzzParameters(f *testing.F) {
	for _, seed := range []string{"10.0.0.5", "10.0.0.5:443", "[fd00::1]:80", "host:web1", "service:", "30d", "-1h", "(a|b)*", "(?i)x", `a"b\`, "\x00", "9999999999d"} {
		f.Add(seed)
	}
	queries, err := load()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i := range queries {
			given := url.Values{}
			for _, p := range queries[i].Parameters {
				given.Set(p.Name, text)
			}
			values, err := queries[i].read(given)
			if err != nil {
				continue
			}
			for n, v := range values {
				if seconds, ok := v.(int64); ok && queries[i].Parameters[n].Type == Duration && (seconds < 0 || seconds > int64(maxDuration.Seconds())) {
					t.Errorf("%q is %d seconds", text, seconds)
				}
				if len(text) > maxValue && text != "" {
					t.Errorf("%d bytes were accepted", len(text))
				}
			}
		}
		readStep(text)
	})
}
