package verdicts

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// place is a site with one relay and two hosts.
type place struct {
	t      *testing.T
	s      *Service
	tenant tenancy.TenantID
	site   tenancy.SiteID
	relay  tenancy.RelayID
}

func newPlace(t *testing.T, db *store.DB) place {
	t.Helper()
	p := place{t, &Service{DB: db, Log: slog.New(slog.DiscardHandler)}, storetest.Tenant(t, db), tenancy.NewID[tenancy.SiteID](), tenancy.NewID[tenancy.RelayID]()}
	p.exec(`INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES ($1, $2, 'paris', 'r', $3, '')`, p.site, p.tenant, p.site.UUID[:])
	p.exec(`INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate) VALUES ($1, $2, $3, 'r', '', '', $4, '', '')`,
		p.relay, p.tenant, p.site, p.relay.UUID[:])
	for _, name := range []string{"web", "db"} {
		p.exec(`INSERT INTO assim.hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at) VALUES ($1, $2, $3, $4, $5, '', 'up', $6, $6, $6)`,
			tenancy.NewID[tenancy.HostID](), p.tenant, p.site, p.relay, name, noon)
	}
	return p
}

func (p place) exec(sql string, args ...any) {
	p.t.Helper()
	err := p.s.DB.In(context.Background(), p.tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), sql, args...)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// heard is a sign of life, at so many seconds after noon.
func (p place) heard(second, backlog int) {
	p.t.Helper()
	p.exec(`UPDATE assim.relays SET seen_at = $2, backlog = $3 WHERE id = $1`, p.relay, at(second), backlog)
}

func at(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }

func (p place) look(second int) {
	p.t.Helper()
	if err := p.s.look(context.Background(), at(second), true); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) said(kind string, second int) {
	p.t.Helper()
	p.exec(`INSERT INTO assim.events (tenant, at, seen_at, type, site, relay) VALUES ($1, $2, $2, $3, $4, $5)`, p.tenant, at(second), kind, p.site, p.relay)
}

// want compares the verdicts, oldest first, as "kind since-over ending".
func (p place) want(when string, want ...string) {
	p.t.Helper()
	items, _, err := p.s.List(context.Background(), web.Actor{Tenant: p.tenant}, Filter{Limit: 100})
	if err != nil {
		p.t.Fatal(err)
	}
	var got []string
	for _, v := range slices.Backward(items) {
		over := ""
		if v.OverAt != nil {
			over = fmt.Sprint(v.OverAt.Sub(noon).Seconds())
		}
		got = append(got, strings.TrimSpace(fmt.Sprint(v.Kind, " ", v.Since.Sub(noon).Seconds(), "-", over, " ", v.Ending)))
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("%s: %q, want %q", when, got, want)
	}
}

func (p place) told(want ...string) {
	p.t.Helper()
	var got []string
	err := p.s.DB.Read(context.Background(), p.tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(context.Background(), `SELECT type FROM assim.events WHERE verdict IS NOT NULL ORDER BY id`)
		if err == nil {
			got, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("events %q, want %q", got, want)
	}
}

func TestASiteGoesDarkAndTheWANWasCut(t *testing.T) {
	p := newPlace(t, storetest.Open(t))
	p.look(0)
	p.want("a relay that was never heard")
	p.heard(0, 0)
	p.look(75)
	p.want("silent for 75 s")
	if err := p.s.look(context.Background(), at(80), false); err != nil {
		t.Fatal(err)
	}
	p.want("a service that was not there itself")
	p.look(80)
	p.look(90)
	p.want("silent for longer", "site dark 0-")
	v, _, err := p.s.List(t.Context(), web.Actor{Tenant: p.tenant}, Filter{Site: "paris", Open: true, Kind: "site dark", Limit: 1})
	if err != nil || len(v) != 1 || v[0].Count != 2 || v[0].Title != "nothing is heard of the site paris, with 2 hosts" {
		t.Fatalf("%+v, %v", v, err)
	}
	whole, err := p.s.Get(t.Context(), web.Actor{Tenant: p.tenant}, v[0].ID.String())
	if err != nil || len(whole.Evidence) != 1 || whole.Evidence[0].Text != "none of the site's relays (1) was heard for 1 min 20 s" {
		t.Errorf("%+v, %v", whole, err)
	}
	// It returns with a backlog; when all of that is told, there is an account.
	p.heard(300, 7)
	p.look(301)
	p.want("heard again", "site dark 0-300 heard again")
	p.heard(325, 3)
	p.look(326)
	p.want("has more to tell", "site dark 0-300 heard again")
	p.heard(350, 0)
	p.look(351)
	p.look(352)
	p.want("has told all", "site dark 0-300 WAN cut")
	p.told("verdict.site-dark", "verdict.over", "verdict.explained")
	p.heard(351, 0)
	p.look(427)
	p.want("dark once more", "site dark 0-300 WAN cut", "site dark 351-")
	p.exec(`UPDATE assim.relays SET revoked_at = now() WHERE id = $1`, p.relay)
	p.look(430)
	p.want("without a relay", "site dark 0-300 WAN cut", "site dark 351-430 no relay left")
}

func TestTheRelaysAccountTellsWhyASiteWasDark(t *testing.T) {
	db := storetest.Open(t)
	for name, c := range map[string]struct {
		before, meanwhile func(p place)
		want              string
	}{
		"the relay was cut off": {nil, func(p place) {
			p.exec(`INSERT INTO assim.verdicts (tenant, id, kind, site, relay, count, since, at, over_at, ending, confidence, received_at)
				VALUES ($1, $2, 'site cut off', $3, $4, 2, $5, $6, $7, 'back', 90, now())`,
				p.tenant, tenancy.NewID[tenancy.VerdictID](), p.site, p.relay, at(1), at(4), at(298))
		}, "site dark 0-300 relay cut off"},
		"it was cut off another time": {nil, func(p place) {
			p.exec(`INSERT INTO assim.verdicts (tenant, id, kind, site, relay, count, since, at, over_at, ending, confidence, received_at)
				VALUES ($1, $2, 'site cut off', $3, $4, 2, $5, $6, $7, 'back', 90, now())`,
				p.tenant, tenancy.NewID[tenancy.VerdictID](), p.site, p.relay, at(-100), at(-90), at(-50))
		}, "site dark 0-300 WAN cut"},
		"the relay crashed":   {func(p place) { p.said("relay.started", -3600) }, func(p place) { p.said("relay.started", 299) }, "site dark 0-300 relay restarted"},
		"the relay worked on": {func(p place) { p.said("relay.started", -3600) }, nil, "site dark 0-300 WAN cut"},
		"the relay was stopped": {func(p place) { p.said("relay.started", -3600); p.said("relay.stopped", -1) }, func(p place) { p.said("relay.started", 299) },
			"relay stopped 0-300 started again"},
		"it stopped once, and started": {func(p place) { p.said("relay.stopped", -3600); p.said("relay.started", -3000) }, nil, "site dark 0-300 WAN cut"},
	} {
		p := newPlace(t, db)
		p.t = t
		if c.before != nil {
			c.before(p)
		}
		p.heard(0, 0)
		p.look(100)
		if c.meanwhile != nil {
			c.meanwhile(p)
		}
		p.heard(300, 0)
		p.look(301)
		p.heard(325, 0)
		p.look(326)
		var got []string
		items, _, err := p.s.List(t.Context(), web.Actor{Tenant: p.tenant}, Filter{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range items {
			if v.Relay == "" {
				got = append(got, fmt.Sprint(v.Kind, " ", v.Since.Sub(noon).Seconds(), "-", v.OverAt.Sub(noon).Seconds(), " ", v.Ending))
			}
		}
		if !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		p.exec(`UPDATE assim.relays SET revoked_at = now() WHERE id = $1`, p.relay) // the next place has the look for itself
	}
}

// Processes that look at the same time see one site go dark, and tell it once.
func TestManyProcessesMakeOneVerdict(t *testing.T) {
	p := newPlace(t, storetest.Open(t))
	p.heard(0, 0)
	together := func(second int) {
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if err := p.s.look(context.Background(), at(second), true); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	together(100)
	p.heard(300, 0)
	together(301)
	p.heard(325, 0)
	together(330)
	p.want("in the end", "site dark 0-300 WAN cut")
	p.told("verdict.site-dark", "verdict.over", "verdict.explained")
}

// A relay that died, or was revoked, ends its verdicts no more.
func TestVerdictsOutliveNoRelay(t *testing.T) {
	p := newPlace(t, storetest.Open(t))
	p.heard(0, 0)
	second := tenancy.NewID[tenancy.RelayID]()
	p.exec(`INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate, seen_at) VALUES ($1, $2, $3, 'r2', '', '', $4, '', '', $5)`,
		second, p.tenant, p.site, second.UUID[:], at(1000))
	verdict := func(kind, host string, second int) {
		id := tenancy.NewID[tenancy.VerdictID]()
		p.exec(`INSERT INTO assim.verdicts (tenant, id, kind, site, relay, count, since, at, confidence, received_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $6, 90, $6)`,
			p.tenant, id, kind, p.site, p.relay, at(second))
		p.exec(`INSERT INTO assim.verdict_hosts (tenant, verdict, host) SELECT tenant, $1, id FROM assim.hosts WHERE name = $2`, id, host)
	}
	verdict("host down", "web", 10)
	verdict("link", "web", 11)
	verdict("agent down", "db", 12)
	p.exec(`UPDATE assim.hosts SET state = 'down' WHERE name = 'web'`)
	p.exec(`UPDATE assim.hosts SET state = 'agent down' WHERE name = 'db'`)
	p.look(100)
	p.want("both relays serve", "host down 10-", "link 11-", "agent down 12-")
	p.exec(`UPDATE assim.hosts SET state = 'up', state_at = $2, relay = $1 WHERE name = 'web'`, second, at(90))
	p.look(101)
	p.want("the host is the other relay's", "host down 10-90 heard by another relay", "link 11-", "agent down 12-")
	p.exec(`UPDATE assim.relays SET revoked_at = $2 WHERE id = $1`, p.relay, at(110))
	p.look(111)
	p.look(112)
	p.want("the relay is revoked", "host down 10-90 heard by another relay", "link 11-110 relay revoked", "agent down 12-110 relay revoked")
	p.told("verdict.over", "verdict.over", "verdict.over")
}

// One tenant whose rows the database refuses does not hide the dark sites of all
// others.
func TestATenantInTroubleIsAlone(t *testing.T) {
	db, url := storetest.OpenURL(t)
	places := []place{newPlace(t, db), newPlace(t, db), newPlace(t, db)}
	for _, p := range places {
		p.heard(0, 0)
	}
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	var first tenancy.TenantID
	if err := admin.QueryRow(t.Context(), `SELECT * FROM assim.tenants_with_silent_relays($1) LIMIT 1`, at(1)).Scan(&first); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), `ALTER TABLE assim.verdicts ADD CHECK (tenant <> '`+first.String()+`')`); err != nil {
		t.Fatal(err)
	}
	places[0].look(100)
	for _, p := range places {
		if p.tenant == first {
			p.want("in trouble")
		} else {
			p.want("beside one in trouble", "site dark 0-")
		}
	}
}
