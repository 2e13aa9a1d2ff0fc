package saas

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery/os"
	"assimilation/discovery/sockets"
	"assimilation/uplink"
)

type pastHost struct {
	Name, State string
	StateAt     *time.Time `json:"state_at"`
	AsOf        *time.Time `json:"as_of"`
	Services    []struct{ Name string }
	Facts       []struct {
		Kind, Hash string
		At         time.Time
	}
	Dependencies []struct{ Endpoint string }
	Notes        []string
}

// A host is shown as it was: its state, facts, services and dependencies; so are
// lists of facts and questions.
func TestAHostIsShownAsItWas(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, _ := ada.twoHosts("")
	then := url.QueryEscape(ada.now().Format(time.RFC3339Nano))
	is := get[pastHost](ada.client, "/v1/hosts/web1")
	ips := get[list[map[string]any]](ada.client, "/v1/queries/hostipports?host=web1").Items
	cypher := func(c client, asOf string) (int, string) {
		if asOf != "" {
			asOf = `, "as_of": "` + asOf + `"`
		}
		return c.do("POST", "/v1/graph/query", `{"query": "MATCH (h:Host {name: 'web1'})-[:RUNS]->(s:Service)-->(x) RETURN h.state, s.name, labels(x)[0] AS l, count(*) AS c ORDER BY s.name, l"`+asOf+`}`)
	}
	_, graph := cypher(ada.client, "")
	moment := ada.now().Format(time.RFC3339Nano)
	packages := get[list[map[string]any]](ada.client, "/v1/hosts/web1/facts/packages").Items

	web.install("3.0.16-1")
	web.put(sockets.Kind, "", sockets.Facts{Services: []sockets.Service{}})
	web.version++
	ada.add(uplink.Change{Type: uplink.FactGone, Host: web.id, Kind: os.Kind.Name, Term: 1, Version: web.version})
	web.state(uplink.Silent)
	ada.send()

	was := get[pastHost](ada.client, "/v1/hosts/web1?as_of="+then)
	now := get[pastHost](ada.client, "/v1/hosts/web1")
	if now.State != "silent" || len(now.Services) != 0 || len(now.Facts) == len(is.Facts) {
		t.Fatalf("now %+v", now)
	}
	if was.AsOf == nil || was.StateAt != nil || len(was.Notes) != 0 {
		t.Errorf("as it was: %+v", was)
	}
	was.AsOf, is.StateAt = nil, nil
	if fmt.Sprint(was) != fmt.Sprint(is) {
		t.Errorf("as of then\n%+v\nthen\n%+v", was, is)
	}
	if got := get[list[map[string]any]](ada.client, "/v1/queries/hostipports?host=web1&as_of="+then).Items; fmt.Sprint(got) != fmt.Sprint(ips) || len(ips) == 0 {
		t.Errorf("question as of then %v, then %v", got, ips)
	}
	if status, got := cypher(ada.client, moment); status != http.StatusOK || got != graph || !strings.Contains(got, `"Endpoint"`) {
		t.Errorf("the graph as of then %d %s, then %s", status, got, graph)
	}
	if _, got := cypher(ada.client, ""); got == graph {
		t.Errorf("the graph is as it was: %s", got)
	}
	if status, got := cypher(ada.client, "2020-01-01T00:00:00Z"); status != http.StatusGone {
		t.Errorf("the graph before all history: %d %s", status, got)
	}
	for path, want := range map[string]int{
		"/queries/hostipports?host=web1&as_of=" + then: http.StatusOK, "/queries/hostipports?host=web1&as_of=2020-01-01T00:00": http.StatusGone,
		"/cypher?q=MATCH+(h:Host)+RETURN+h.name&as_of=" + then: http.StatusOK, "/cypher?q=RETURN+1&as_of=noon": http.StatusUnprocessableEntity,
		"/hosts/web1/timeline": http.StatusOK, "/hosts/web1/timeline?kind=packages&as_of=" + then: http.StatusOK,
		"/hosts/web1/timeline?ago=1": http.StatusSeeOther, "/hosts/web1/timeline?kind=events": http.StatusOK,
	} {
		if status, body := ada.do("GET", path, ""); status != want {
			t.Errorf("page %s: %d, want %d: %.300s", path, status, want, body)
		}
	}
	if _, body := ada.do("GET", "/hosts/web1/timeline", ""); !strings.Contains(body, "3.0.15-1 -&gt; 3.0.16-1") || !strings.Contains(body, "host silent") {
		t.Errorf("the timeline does not hold the change and the event: %s", body)
	}
	if got := get[list[map[string]any]](ada.client, "/v1/hosts/web1/facts/packages?as_of="+then).Items; fmt.Sprint(got) != fmt.Sprint(packages) || len(packages) == 0 {
		t.Errorf("facts as of then %v, then %v", got, packages)
	}
	elements := get[struct {
		Vertices []struct{ Label, Key string }
	}](ada.client, "/v1/hosts/web1/elements?as_of="+then)
	if !slices.ContainsFunc(elements.Vertices, func(v struct{ Label, Key string }) bool { return v.Label == "Service" }) {
		t.Errorf("elements as of then: %+v", elements)
	}
	for path, want := range map[string]int{
		"/v1/hosts/web1?as_of=2020-01-01T00:00:00Z": http.StatusGone, "/v1/hosts/web1/facts?as_of=2020-01-01T00:00:00Z": http.StatusGone,
		"/v1/hosts/web1?as_of=2999-01-01T00:00:00Z": http.StatusUnprocessableEntity, "/v1/hosts/web1?as_of=yesterday": http.StatusUnprocessableEntity,
		"/v1/queries/allips?as_of=2020-01-01T00:00:00Z": http.StatusGone, "/v1/queries/allips?as_of=noon": http.StatusUnprocessableEntity,
		"/v1/queries/down?as_of=" + then: http.StatusUnprocessableEntity, "/v1/diff": http.StatusUnprocessableEntity,
		"/v1/hosts/web1/elements?as_of=2020-01-01T00:00:00Z": http.StatusGone, "/v1/hosts/nobody?as_of=" + then: http.StatusNotFound,
	} {
		if status, body := ada.do("GET", path, ""); status != want || !strings.Contains(body, `"code"`) {
			t.Errorf("%s: %d %s, want %d", path, status, body, want)
		}
	}

	diff := get[list[struct{ Host, Kind, Op, Summary string }]](ada.client, "/v1/diff?host=web1&from="+then).Items
	var said []string
	for _, d := range diff {
		said = append(said, d.Kind+" "+d.Op)
	}
	if strings.Join(said, ", ") != "os gone, packages changed, sockets changed" || !strings.Contains(diff[1].Summary, "3.0.15-1 -> 3.0.16-1") {
		t.Errorf("diff %+v", diff)
	}
	near := get[list[struct {
		Host     string
		Distance int
	}]](ada.client, "/v1/changes?near=db1&hops=1").Items
	if len(near) == 0 || near[0].Host != "db1" || near[0].Distance != 0 {
		t.Errorf("near db1: %+v", near)
	}

	eve := s.signUp("eve@example.org", "Other", "rome")
	if _, body := cypher(eve.client, moment); strings.Contains(body, "Endpoint") {
		t.Errorf("another tenant's graph as of then: %s", body)
	}
	if status, body := eve.do("GET", "/v1/hosts/"+web.id.String()+"/facts?as_of="+then, ""); status == http.StatusOK {
		t.Errorf("another tenant sees %s", body)
	}
}

func TestHowLongThePastIsHeld(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	type reach struct {
		FactDays  int `json:"fact_days"`
		GraphDays int `json:"graph_days"`
	}
	if r := get[reach](ada.client, "/v1/history"); r != (reach{400, 90}) {
		t.Errorf("by default %+v", r)
	}
	if status, body := ada.do("PUT", "/v1/history", `{"fact_days":30,"graph_days":14}`); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	if r := get[reach](ada.client, "/v1/history"); r != (reach{30, 14}) {
		t.Errorf("set to %+v", r)
	}
	if status, _ := ada.do("PUT", "/v1/history", `{"fact_days":1,"graph_days":14}`); status != http.StatusUnprocessableEntity {
		t.Errorf("a day: %d", status)
	}
}

// now is the time of the newest effect.
func (e *estate) now() (at time.Time) {
	e.s.t.Helper()
	e.in(func(tx pgx.Tx) error {
		return tx.QueryRow(e.s.t.Context(), `SELECT at FROM assim.writers`).Scan(&at)
	})
	return at.UTC()
}

func TestPagesOfThePast(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	web, db := ada.twoHosts("")
	then := ada.now().Format(time.RFC3339Nano)
	web.install("3.0.16-1")
	db.install("3.0.17-1")
	ada.send()
	host := "/hosts/" + web.id.String()
	shows := func(path string, want int, texts ...string) {
		t.Helper()
		status, body := ada.do("GET", path, "")
		if status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
		for _, text := range texts {
			if !strings.Contains(body, text) {
				t.Errorf("%s does not show %q", path, text)
			}
		}
	}
	shows(host+"/past?as_of="+url.QueryEscape(then), http.StatusOK, "nginx", "10.0.0.10/24", "What differs now", "openssl 3.0.15-1 -&gt; 3.0.16-1", `type="range"`)
	shows(host+"/past", http.StatusOK, "Nothing differs")
	shows(host+"/past?as_of=2020-01-01T00:00:00Z", http.StatusOK, "is held since")
	shows(host+"/past?as_of=noon", http.StatusUnprocessableEntity)
	shows(host+"/past?ago=0", http.StatusSeeOther)
	shows(host+"/past?ago=-1", http.StatusUnprocessableEntity)
	shows("/changes?near=web1&hops=1", http.StatusOK, "db1", "1 hop", "3.0.17-1")
	shows("/changes?near=nobody", http.StatusOK, "there is no such host")
}
