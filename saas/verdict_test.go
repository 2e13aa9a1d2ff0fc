package saas

import (
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

	"assimilation/tenancy"
	"assimilation/uplink"
)

// conclude adds a verdict of the estate's relay about machines, reached so many
// seconds ago.
func (e *estate) conclude(kind uplink.VerdictKind, ago int, about ...*machine) *uplink.VerdictBody {
	e.s.t.Helper()
	id := tenancy.NewID[tenancy.VerdictID]()
	at := time.Now().Add(-time.Duration(ago) * time.Second)
	v := &uplink.VerdictBody{ID: id.UUID[:], Kind: kind, Since: at.Add(-2500 * time.Millisecond).UnixMilli(), At: at.UnixMilli(), Confidence: 95}
	for _, m := range about {
		v.Hosts = append(v.Hosts, m.id)
	}
	e.tell(v)
	return v
}

func (e *estate) tell(v *uplink.VerdictBody) {
	e.s.t.Helper()
	told := *v
	e.add(uplink.Change{Type: uplink.Verdict, Verdict: &told})
}

func (e *estate) end(v *uplink.VerdictBody, ending string) {
	e.s.t.Helper()
	ended := *v
	ended.Over, ended.Ending = v.At+1000, ending
	e.tell(&ended)
}

func idOf(v *uplink.VerdictBody) string {
	var id tenancy.VerdictID
	copy(id.UUID[:], v.ID)
	return id.String()
}

type verdictAnswer struct {
	ID, Kind, Title, Site, Relay, Ending, Meaning string
	Open                                          bool
	Count                                         int
	Confidence                                    int
	Hosts                                         []struct{ ID, Name string }
	Since, At                                     time.Time
	Evidence                                      []struct {
		Code, Text string
		AfterMS    int `json:"after_ms"`
		By         *struct{ Name string }
	}
	CausedBy *struct{ Title string } `json:"caused_by"`
	Explains []struct{ Title string }
}

func TestVerdictsAreListedByFilterAndPage(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, db := ada.twoHosts("")
	first := ada.conclude(uplink.HostDown, 7200, web)
	ada.end(first, "back")
	second := ada.conclude(uplink.ProbeDown, 60, db)
	third := ada.conclude(uplink.LinkDown, 30, web, db)
	ada.send()
	all := []string{idOf(third), idOf(second), idOf(first)}
	since := url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339))
	for query, want := range map[string][]string{
		"": all, "open=true": all[:2], "kind=host+down": all[2:], "kind=clone": nil, "host=web1": {all[0], all[2]}, "host=" + db.id.String(): all[:2],
		"host=nobody": nil, "site=paris": all, "site=" + ada.source.Site.String() + "&open=true": all[:2], "site=lyon": nil, "since=" + since: all[:2],
		"host=web1&open=true&kind=link": all[:1], "host=" + url.QueryEscape("\x00\xff"): nil,
	} {
		for _, limit := range []int{1, 2, 1000} {
			var got []string
			for cursor := ""; ; {
				page := get[list[verdictAnswer]](ada.client, fmt.Sprintf("/v1/verdicts?%s&limit=%d&cursor=%s", query, limit, cursor))
				for _, v := range page.Items {
					got = append(got, v.ID)
				}
				if cursor = page.NextCursor; cursor == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s by pages of %d: %q, want %q", query, limit, got, want)
			}
		}
	}
	for _, bad := range []string{"kind=volcano", "limit=0", "limit=1001", "cursor=x", "cursor=AAAA", "since=yesterday", "open=maybe"} {
		if status, body := ada.do("GET", "/v1/verdicts?"+bad, ""); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s, want 422", bad, status, body)
		}
	}
	for _, none := range []string{"x", tenancy.NewID[tenancy.VerdictID]().String()} {
		if status, _ := ada.do("GET", "/v1/verdicts/"+none, ""); status != http.StatusNotFound {
			t.Errorf("verdict %s: %d, want 404", none, status)
		}
	}
}

func TestAVerdictShowsItsEvidence(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, db := ada.twoHosts("")
	root := ada.conclude(uplink.SwitchDown, 20, web)
	root.Domain, root.Count = root.ID, 48
	ada.tell(root)
	v := ada.conclude(uplink.HostDown, 10, web)
	v.Cause = root.ID
	v.Evidence = []uplink.Evidence{
		{Kind: uplink.NoEcho, At: v.At - 10, About: web.id, Age: 1000},
		{Kind: uplink.MissedBeats, At: v.Since + 2000, By: db.id, About: web.id, Age: 2000},
		{Kind: 200, At: v.At},
	}
	ada.tell(v)
	ada.send()
	shown := get[verdictAnswer](ada.client, "/v1/verdicts/"+idOf(v))
	if shown.Title != "web1 is down" || !shown.Open || shown.Relay != "paris-relay" || shown.Confidence != 95 || len(shown.Hosts) != 1 || shown.Hosts[0].Name != "web1" ||
		shown.CausedBy == nil || shown.CausedBy.Title != "a switch is down, with 48 hosts" {
		t.Errorf("%+v", shown)
	}
	var lines []string
	for _, e := range shown.Evidence {
		lines = append(lines, fmt.Sprint(e.AfterMS, " ", e.Code, ": ", e.Text))
	}
	if want := []string{"2000 missed beats: db1 heard no heartbeat of web1 for 2.0 s", "2490 no echo: web1 did not answer the echo of the relay for 1.0 s",
		"2500 evidence 200: evidence 200"}; !slices.Equal(lines, want) {
		t.Errorf("evidence %q, want %q", lines, want)
	}
	if up := get[verdictAnswer](ada.client, "/v1/verdicts/"+idOf(root)); len(up.Explains) != 1 || up.Explains[0].Title != "web1 is down" {
		t.Errorf("the root explains %+v", up.Explains)
	}
	host := get[struct {
		State, Verdict string
		VerdictID      string `json:"verdict_id"`
		LastState      string `json:"last_state"`
	}](ada.client, "/v1/hosts/web1")
	if host.State != "down" || host.Verdict != "host down" || host.VerdictID != idOf(v) || host.LastState != "down" {
		t.Errorf("the host: %+v", host)
	}
	type row struct{ State, Host string }
	if rows := get[list[row]](ada.client, "/v1/queries/allservers").Items; len(rows) != 2 || rows[1] != (row{"down", "web1"}) {
		t.Errorf("the graph: %+v", rows)
	}
	for path, wants := range map[string][]string{
		"/":                               {"What is wrong now", "a switch is down, with 48 hosts", "web1 is down", "hosts not well"},
		"/verdicts":                       {"web1 is down", "host down", "95 %"},
		"/verdicts?open=true&host=nobody": {"No verdicts"},
		"/verdicts/" + idOf(v):            {"db1 heard no heartbeat of web1 for 2.0 s", "missed beats", "evidence-svg", "+2.0 s", "a switch is down", "95 %, sure"},
		"/hosts/web1":                     {"/verdicts/" + idOf(v), "down"},
		"/hosts/web1/timeline":            {"host down: web1", "switch down", "host enrolled"},
		"/sites/paris":                    {"What is wrong now", "web1 is down", "What happened here"},
		"/hosts?state=down":               {"web1"},
		"/events?type=verdict&site=paris": {"host down: web1, last sign of life", "/verdicts/" + idOf(v)},
	} {
		status, body := ada.do("GET", path, "")
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		checkPage(t, path, body)
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not show %q", path, want)
			}
		}
	}
}

// Whatever order a relay gives to causes, a page shows every verdict once.
func TestCausesInACircleAreShown(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, db := ada.twoHosts("")
	a, b, c := ada.conclude(uplink.HostDown, 9, web), ada.conclude(uplink.ProbeDown, 8, db), ada.conclude(uplink.Clone, 7, db)
	a.Cause, b.Cause, c.Cause = b.ID, a.ID, a.ID
	for _, v := range []*uplink.VerdictBody{a, b, c} {
		ada.tell(v)
	}
	self := ada.conclude(uplink.ZoneDown, 6)
	self.Cause = self.ID
	ada.tell(self)
	ada.send()
	_, body := ada.do("GET", "/", "")
	for _, v := range []*uplink.VerdictBody{a, b, c, self} {
		status, page := ada.do("GET", "/verdicts/"+idOf(v), "")
		if n := strings.Count(body, `href="/verdicts/`+idOf(v)+`">`+get[verdictAnswer](ada.client, "/v1/verdicts/"+idOf(v)).Title); n != 1 || status != http.StatusOK {
			t.Errorf("%s stands %d times on the overview; its page: %d", v.Kind, n, status)
		}
		checkPage(t, string(v.Kind), page)
	}
}

// While nothing is heard of a site, nobody knows how its hosts are; what was
// known stays.
func TestHostsOfADarkSiteAreUnknown(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	ada.twoHosts("")
	dark := tenancy.NewID[tenancy.VerdictID]()
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO assim.verdicts (tenant, id, kind, site, count, since, at, confidence, received_at)
			VALUES ($1, $2, 'site dark', $3, 2, now() - interval '2 minutes', now(), 100, now())`, ada.source.Tenant, dark, ada.source.Site)
		return err
	})
	type host struct {
		Name, State, Verdict string
		LastState            string `json:"last_state"`
	}
	for query, want := range map[string]int{"": 2, "state=unknown": 2, "state=up": 0} {
		items := get[list[host]](ada.client, "/v1/hosts?"+query).Items
		if len(items) != want {
			t.Errorf("%s: %+v", query, items)
		}
		for _, h := range items {
			if h.State != "unknown" || h.LastState != "up" || h.Verdict != "site dark" {
				t.Errorf("%s: %+v", query, h)
			}
		}
	}
	for path, want := range map[string]string{"/": "hosts unknown", "/hosts/web1": "nothing is heard of its site; last known: up", "/sites/paris": "nothing is heard of the site paris"} {
		if _, body := ada.do("GET", path, ""); !strings.Contains(body, want) {
			t.Errorf("%s does not show %q", path, want)
		}
	}
}

func TestEventsCanBeFollowed(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, db := ada.twoHosts("")
	type page struct {
		Items []struct {
			ID        int64
			Type      string
			VerdictID string `json:"verdict_id"`
		}
		LastID int64 `json:"last_id"`
	}
	before := get[page](ada.client, "/v1/events?limit=1")
	// An old death is told late: it stands below, and is heard of at once.
	old := ada.conclude(uplink.HostDown, 3600, web)
	ada.conclude(uplink.ProbeDown, 1, db)
	ada.send()
	followed := get[page](ada.client, fmt.Sprint("/v1/events?after=", before.LastID))
	if len(followed.Items) != 2 || followed.Items[0].VerdictID != idOf(old) || followed.LastID != followed.Items[1].ID {
		t.Errorf("followed: %+v", followed)
	}
	all := get[page](ada.client, "/v1/events")
	if last := all.Items[len(all.Items)-1]; last.VerdictID != idOf(old) {
		t.Errorf("the oldest is %+v", last)
	}
	for query, want := range map[string]int{
		"type=verdict": 2, "type=verdict.host-down": 1, "host=web1&type=verdict": 1, "host=db1": 2, "site=paris&type=verdict": 2, "site=lyon": 0,
		"since=" + url.QueryEscape(time.Now().Add(-time.Minute).Format(time.RFC3339)) + "&type=verdict": 1, fmt.Sprint("after=", followed.LastID): 0,
		fmt.Sprint("after=", before.LastID, "&host=db1"): 1, "after=0&limit=1": 1,
	} {
		if n := len(get[page](ada.client, "/v1/events?"+query).Items); n != want {
			t.Errorf("%s: %d events, want %d", query, n, want)
		}
	}
	for _, bad := range []string{"after=-2", "after=x", "after=1&cursor=1.1", "cursor=1", "cursor=99999999999999999999.1", "since=x"} {
		if status, body := ada.do("GET", "/v1/events?"+bad, ""); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s, want 422", bad, status, body)
		}
	}
}

func TestVerdictsAreHeardLive(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, _ := ada.twoHosts("")
	server := httptest.NewServer(s.handler)
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	heard := follow(ctx, t, server, ada) // before the hub listens: then it says resync
	hub := make(chan error, 1)
	go func() { hub <- s.hub.Run(ctx) }()
	select {
	case got := <-heard:
		if got != "resync" {
			t.Errorf("heard %q before anything happened", got)
		}
	case <-ctx.Done():
		t.Fatal("the hub does not listen")
	}
	ada.conclude(uplink.HostDown, 1, web)
	ada.send()
	missing := []string{"hosts", "verdicts", "events"}
	for len(missing) > 0 {
		select {
		case got := <-heard:
			missing = slices.DeleteFunc(missing, func(topic string) bool { return topic == got })
		case <-ctx.Done():
			t.Fatalf("nothing heard of %q", missing)
		}
	}
	stop()
	<-hub
}
