package saas

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery/os"
	"assimilation/uplink"
	"assimilation/wire"
)

type hostAnswer struct {
	ID, Name, State, Site string
	Labels                map[string]string
	OpenFindings          int `json:"open_findings"`
}

func names(hosts []hostAnswer) (all []string) {
	for _, h := range hosts {
		all = append(all, h.Name)
	}
	return all
}

func TestHostsAreListedByFilterAndPage(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	for _, name := range []string{"Delta", "alpha", "Beta", "alpha", "gamma%", "epsilon_"} {
		ada.machine(name)
	}
	silent := ada.machine("zeta")
	silent.state(uplink.Silent)
	gone := ada.machine("omega")
	gone.state(uplink.ShutDown)
	ada.send()
	for query, want := range map[string][]string{
		"":                    {"alpha", "alpha", "Beta", "Delta", "epsilon_", "gamma%", "omega", "zeta"},
		"name=A&limit=1000":   {"alpha", "alpha", "Beta", "Delta", "gamma%", "omega", "zeta"},
		"name=%25":            {"gamma%"},
		"name=_":              {"epsilon_"},
		"name=%27%20OR%201=1": nil,
		"state=silent":        {"zeta"},
		"state=shut+down":     {"omega"},
		"state=retired":       nil,
		"site=paris&state=up": {"alpha", "alpha", "Beta", "Delta", "epsilon_", "gamma%"},
		"site=lyon":           nil,
		"site=" + ada.source.Site.String() + "&name=zeta": {"zeta"},
		"name=" + url.QueryEscape("\x00\xff"):             nil,
	} {
		got := names(get[list[hostAnswer]](ada.client, "/v1/hosts?"+query).Items)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	for _, bad := range []string{"state=dead", "limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=AAAA", "order=name", "name=" + strings.Repeat("x", 256)} {
		if status, body := ada.do("GET", "/v1/hosts?"+bad, ""); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s, want 422", bad, status, body)
		}
	}
	var paged []string
	for cursor := ""; ; {
		page := get[list[hostAnswer]](ada.client, "/v1/hosts?limit=3&cursor="+cursor)
		paged = append(paged, names(page.Items)...)
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if want := []string{"alpha", "alpha", "Beta", "Delta", "epsilon_", "gamma%", "omega", "zeta"}; !slices.Equal(paged, want) {
		t.Errorf("by pages of 3: %q, want %q", paged, want)
	}
	if status, _ := ada.do("GET", "/v1/hosts/alpha", ""); status != http.StatusConflict {
		t.Errorf("a name that two hosts have: %d, want 409", status)
	}
	if h := get[hostAnswer](ada.client, "/v1/hosts/ZETA"); h.ID != silent.id.String() || h.State != "silent" || h.Site != "paris" || h.Labels["env"] != "prod" {
		t.Errorf("by name: %+v", h)
	}
}

func TestHostShowsFactsServicesAndDependencies(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, db := ada.twoHosts("")
	type end struct{ Host, Name, Service string }
	type dependency struct {
		Server, Client end
		Endpoint       string
	}
	type whole struct {
		hostAnswer
		Facts        []struct{ Kind, Instance, Hash string }
		Services     []struct{ Name string }
		Dependencies []dependency
		Findings     []struct{ Rule, Subject string }
	}
	want := dependency{end{db.id.String(), "db1", "postgres"}, end{web.id.String(), "web1", "nginx"}, "10.0.0.11:5432/tcp"}
	for _, name := range []string{"web1", "db1"} {
		shown := get[whole](ada.client, "/v1/hosts/"+name)
		if len(shown.Dependencies) != 1 || shown.Dependencies[0] != want {
			t.Errorf("%s: dependencies %+v, want %+v", name, shown.Dependencies, want)
		}
	}
	if shown := get[whole](ada.client, "/v1/hosts/web1"); len(shown.Facts) != 4 || len(shown.Services) != 1 || len(shown.Findings) != 1 || shown.Findings[0].Subject != "x-big/blob" || shown.OpenFindings != 1 {
		t.Errorf("web1: %+v", shown)
	}
	type fact struct {
		Kind, Instance, Hash string
		Body                 os.Facts
	}
	facts := get[list[fact]](ada.client, "/v1/hosts/web1/facts/os").Items
	if len(facts) != 1 || facts[0].Body.Kernel.Release != "6.1.0-25-amd64" || len(facts[0].Hash) != 64 {
		t.Errorf("os: %+v", facts)
	}
	if all := get[list[struct{ Kind string }]](ada.client, "/v1/hosts/web1/facts").Items; len(all) != 4 {
		t.Errorf("%d facts, want 4", len(all))
	}
	if none := get[list[fact]](ada.client, "/v1/hosts/web1/facts/nothing").Items; len(none) != 0 {
		t.Errorf("a kind that is not: %+v", none)
	}
}

func TestRetiredHostLeavesNothingBehindButHistory(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	_, db := ada.twoHosts("")
	revision := ada.count(`SELECT orders_revision::int FROM assim.sites`)
	for range 2 { // the second changes nothing
		if status, body := ada.do("POST", "/v1/hosts/db1/retire", ""); status != http.StatusOK || !strings.Contains(body, `"state":"retired"`) {
			t.Fatalf("retire: %d %s", status, body)
		}
	}
	if got := names(get[list[hostAnswer]](ada.client, "/v1/hosts").Items); !slices.Equal(got, []string{"web1"}) {
		t.Errorf("left: %q", got)
	}
	for what, sql := range map[string]string{
		"facts":    `SELECT count(*)::int FROM assim.facts WHERE host = $1`,
		"findings": `SELECT count(*)::int FROM assim.findings WHERE host = $1 AND closed_at IS NULL`,
	} {
		if n := ada.count(sql, db.id); n != 0 {
			t.Errorf("%d %s are left", n, what)
		}
	}
	if n := ada.count(`SELECT count(*)::int FROM assim.fact_versions WHERE host = $1 AND hash IS NULL`, db.id); n != 4 {
		t.Errorf("%d facts are gone in the history, want 4", n)
	}
	if n := ada.count(`SELECT count(*)::int FROM assim.audit WHERE action = 'host.retire' AND object = $1`, db.id.String()); n != 1 {
		t.Errorf("%d entries in the audit log, want 1", n)
	}
	if now := ada.count(`SELECT orders_revision::int FROM assim.sites`); now != revision+1 {
		t.Errorf("revision of the orders went from %d to %d, want one more", revision, now)
	}
	type row struct{ Host, Service string }
	if rows := get[list[row]](ada.client, "/v1/queries/allipports").Items; len(rows) != 1 || rows[0].Host != "web1" {
		t.Errorf("in the graph: %+v", rows)
	}
	if h := get[hostAnswer](ada.client, "/v1/hosts/db1"); h.State != "retired" {
		t.Errorf("shown as %+v", h)
	}
	// Its name is free: a new host of that name is found by it.
	again := ada.machine("db1")
	ada.send()
	if h := get[hostAnswer](ada.client, "/v1/hosts/db1"); h.ID != again.id.String() {
		t.Errorf("db1 is %s, want the new host", h.ID)
	}
}

type changeAnswer struct {
	At                             time.Time
	Host, Kind, Instance, Op, Hash string
	Previous, Summary              string
	Details                        []struct{ Op, Text string }
	More                           int
}

func TestChangesAreReadable(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, _ := ada.twoHosts("")
	web.install("3.0.16-1")
	ada.send()
	web.version++
	ada.add(uplink.Change{Type: uplink.FactGone, Host: web.id, Kind: os.Kind.Name, Term: 1, Version: web.version})
	ada.send()

	all := get[list[changeAnswer]](ada.client, "/v1/changes").Items
	if len(all) != 10 {
		t.Fatalf("%d changes, want 10", len(all))
	}
	if c := all[0]; c.Op != "gone" || c.Kind != "os" || c.Hash != "" || c.Previous == "" {
		t.Errorf("newest: %+v", c)
	}
	if c := all[1]; c.Op != "changed" || c.Kind != "packages" || !strings.Contains(c.Summary, "3.0.15-1") || !strings.Contains(c.Summary, "3.0.16-1") || len(c.Details) != 1 || c.Details[0].Op != "changed" {
		t.Errorf("upgrade: %+v", c)
	}
	if c := all[9]; c.Op != "appeared" || c.Previous != "" {
		t.Errorf("oldest: %+v", c)
	}
	between := url.QueryEscape(all[1].At.Format(time.RFC3339Nano))
	for query, want := range map[string]int{
		"host=web1": 6, "host=" + web.id.String(): 6, "host=nobody": 0, "kind=packages": 3, "kind=packages&host=db1": 1,
		"since=" + between: 2, "until=" + between: 8, "since=" + between + "&until=" + between: 0,
	} {
		if n := len(get[list[changeAnswer]](ada.client, "/v1/changes?"+query).Items); n != want {
			t.Errorf("%s: %d changes, want %d", query, n, want)
		}
	}
	for _, bad := range []string{"since=yesterday", "limit=0", "cursor=x", "cursor=" + strings.Repeat("A", 2000), "cursor=eCB5IHogMSAyIDMgNA", "until=1"} {
		if status, body := ada.do("GET", "/v1/changes?"+bad, ""); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s, want 422", bad, status, body)
		}
	}
	var paged []changeAnswer
	for cursor := ""; ; {
		page := get[list[changeAnswer]](ada.client, "/v1/changes?limit=3&cursor="+cursor)
		paged = append(paged, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if fmt.Sprint(paged) != fmt.Sprint(all) {
		t.Errorf("by pages of 3:\n%v\nwant\n%v", paged, all)
	}
}

func TestFindingsAndEventsArePaged(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, db := ada.twoHosts("")
	for i := range 5 {
		ada.add(uplink.Change{Type: uplink.Refusal, Host: db.id, Kind: "x-big", Instance: fmt.Sprint(i), SeenAt: 1_760_000_000_000,
			Refusal: &uplink.RefusalBody{Subject: "fact", Reason: wire.TooLarge, From: db.name}})
	}
	ada.add(uplink.Change{Type: uplink.Refusal, Host: web.id, Kind: "x-big", Instance: "blob", Refusal: &uplink.RefusalBody{Subject: "fact", Reason: wire.TooLarge, Cleared: true}})
	ada.send()
	for query, want := range map[string]int{
		"/v1/findings": 5, "/v1/findings?all=true": 6, "/v1/findings?host=web1": 0, "/v1/findings?host=web1&all=true": 1, "/v1/findings?host=" + db.id.String(): 5,
		"/v1/events?type=refusal": 7, "/v1/events?type=host": 2, "/v1/events?type=host.enrolled&host=db1": 1, "/v1/events?type=hos": 0,
	} {
		for _, limit := range []int{1, 2, 1000} {
			n := 0
			for cursor := ""; ; {
				path := query + "?"
				if strings.Contains(query, "?") {
					path = query + "&"
				}
				page := get[list[struct{}]](ada.client, fmt.Sprintf("%slimit=%d&cursor=%s", path, limit, cursor))
				n += len(page.Items)
				if cursor = page.NextCursor; cursor == "" {
					break
				}
			}
			if n != want {
				t.Errorf("%s by pages of %d: %d, want %d", query, limit, n, want)
			}
		}
	}
	for _, bad := range []string{"/v1/findings?cursor=x", "/v1/findings?all=maybe", "/v1/events?cursor=x", "/v1/events?cursor=-1", "/v1/events?limit=0", "/v1/events?cursor=99999999999999999999"} {
		if status, body := ada.do("GET", bad, ""); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s, want 422", bad, status, body)
		}
	}
}

func TestStreamIsOfTheTenant(t *testing.T) {
	s := newService(t)
	ada, eve := s.signUp("ada@example.org", "Example", "paris"), s.signUp("eve@evil.example", "Evil", "lyon")
	server := httptest.NewServer(s.handler)
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	hub := make(chan error, 1)
	go func() { hub <- s.hub.Run(ctx) }()

	events := map[*estate]chan string{ada: follow(ctx, t, server, ada), eve: follow(ctx, t, server, eve)}
	expect := func(e *estate, want string) {
		t.Helper()
		for {
			select {
			case got := <-events[e]:
				if got == want {
					return
				}
				if e == eve && got != "resync" {
					t.Errorf("eve hears %q", got)
				}
			case <-ctx.Done():
				t.Fatalf("nothing heard of %s", want)
			}
		}
	}
	ada.twoHosts("")
	expect(ada, "hosts")
	expect(ada, "facts")
	// What eve hears next is her own: nothing of ada's came before it.
	eve.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_notify('assim', $1)`, eve.source.Tenant.String()+" sites")
		return err
	})
	expect(eve, "sites")
	stop()
	<-hub
}

// follow opens a live stream and passes on the names of its events.
func follow(ctx context.Context, t *testing.T, server *httptest.Server, e *estate) chan string {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+e.token)
	answer, err := server.Client().Do(r)
	if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("stream: %v %+v", err, answer)
	}
	events := make(chan string, 100)
	go func() {
		defer answer.Body.Close()
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				events <- name
			}
		}
	}()
	return events
}
