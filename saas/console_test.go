package saas

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// pagesOf lists the addresses of every page about an estate with one host.
func pagesOf(e *estate, host string) []string {
	pages := []string{"/", "/account", "/members", "/audit", "/audit?action=member&window=24h&actor=ada", "/entry", "/changes", "/changes?window=all&kind=packages", "/events", "/events?type=refusal", "/verdicts", "/verdicts?open=true&kind=host+down", "/findings", "/findings?all=true", "/hosts", "/hosts?state=up&name=web",
		"/sites", "/sites/" + e.source.Site.String(), "/queries", "/unmanaged", "/map", "/map?site=" + e.source.Site.String(), "/map?host=" + host,
		"/cypher", "/cypher?q=MATCH+(h:Host)+RETURN+h,h.name", "/cypher?explain=1&q=MATCH+(h:Host)+RETURN+h",
		"/docs", "/tokens", "/tokens?state=active&kind=relay&q=x", "/packages", "/packages?q=ssl", "/packages/openssl", "/settings", "/guides", "/guides?q=dpkg", "/guides/install",
		"/hosts?label=env%3Dprod&system=linux&findings=true", "/hosts?state=pending", "/hosts?state=cloned", "/search", "/search?q=web", "/search?q=10.0.0", "/search?q=02:00", "/search?q=443", "/search?q=nothing"}
	for _, view := range []string{"", "/services", "/packages", "/packages?q=ssl", "/network", "/dependencies", "/changes", "/timeline", "/facts/sockets", "/facts/nothing"} {
		pages = append(pages, "/hosts/"+host+view)
	}
	for _, q := range get[list[struct {
		Name, Example string
	}]](e.client, "/v1/queries").Items {
		pages = append(pages, "/queries/"+q.Name)
		if name, value, ok := strings.Cut(q.Example, "="); ok {
			pages = append(pages, "/queries/"+q.Name+"?"+url.Values{name: {value}}.Encode())
		}
	}
	return pages
}

func TestPagesAreCleanHTML(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example Ltd", "paris")
	web, db := ada.twoHosts("")
	web.install("3.0.16-1")
	db.state("silent")
	ada.send()
	empty := s.signUp("new@example.org", "New Ltd", "lyon")

	for _, path := range append(pagesOf(ada, web.id.String()), pagesOf(ada, db.name)...) {
		status, body := ada.do(http.MethodGet, path, "")
		if status != http.StatusOK && !strings.HasPrefix(path, "/queries/") { // an example may name no host of ours
			t.Errorf("%s: %d", path, status)
		}
		checkPage(t, path, body)
	}
	for _, path := range []string{"/", "/hosts", "/map", "/search?q=x", "/changes", "/events", "/verdicts", "/findings", "/sites", "/sites/" + empty.source.Site.String(), "/account"} {
		status, body := empty.do(http.MethodGet, path, "")
		if status != http.StatusOK {
			t.Errorf("empty %s: %d", path, status)
		}
		checkPage(t, path, body)
	}
	for _, path := range []string{"/signin", "/signup", "/signin/code", "/signup/confirm?token=x", "/nothing", "/hosts/nothing", "/queries/nothing", "/sites/nothing", "/hosts?cursor=x", "/changes?cursor=x"} {
		status, body := ada.do(http.MethodGet, path, "")
		if want := strings.HasPrefix(path, "/sign"); (status == http.StatusOK) != want {
			t.Errorf("%s: %d", path, status)
		}
		checkPage(t, path, body)
	}
}

func TestPagesShowWhatIsThere(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example Ltd", "paris")
	web, _ := ada.twoHosts("")
	web.install("3.0.16-1")
	ada.send()
	host := "/hosts/" + web.id.String()
	for path, wants := range map[string][]string{
		"/":                                  {"Example Ltd", "hosts up", "paris", "web1", "3.0.15-1", "3.0.16-1", "refusal"},
		"/hosts":                             {"web1", "db1", "env=prod", "up", "paris"},
		"/hosts?name=DB":                     {"db1"},
		"/hosts?state=silent":                {"No host matches"},
		host:                                 {"Debian GNU/Linux 12 (bookworm)", "10.0.0.10/24", "refused-fact", "x-big/blob", "Retire"},
		host + "/services":                   {"nginx", "0.0.0.0:443/tcp", "10.0.0.11:5432/tcp", "&lt;script&gt;"},
		host + "/packages?q=ssl":             {"openssl", "3.0.16-1", "1 package"},
		host + "/packages?q=zz":              {"No package matches"},
		host + "/network":                    {"eth0", "02:00:00:00:00:01", "10.0.0.1", "main"},
		host + "/dependencies":               {"db1", "postgres", "10.0.0.11:5432/tcp", "nginx", "web1", "Nobody is seen"},
		host + "/changes":                    {"3.0.15-1", "3.0.16-1"},
		host + "/facts/packages":             {"&#34;openssl&#34;", "3.0.16-1"},
		"/changes":                           {"web1", "db1", "openssl"},
		"/findings":                          {"web1", "refused-fact", "9000000 bytes"},
		"/events":                            {"fact x-big/blob of web1 refused: too large", "host enrolled"},
		"/queries":                           {"hostdependencies", "allipports"},
		"/queries/allipports":                {"postgres", "5432", "CSV"},
		"/queries/findip?ip=x":               {"is no IP address"},
		"/sites/" + ada.source.Site.String(): {"paris-relay", "2 hosts report", "Mint a token"},
		"/map":                               {"web1", "db1", "10.0.0.11:5432/tcp", "postgres", "</svg>"},
		"/map?host=web1":                     {"10.0.0.10:443/tcp", "no known client"},
		"/search?q=EB":                       {"web1", "1 result"},
		"/search?q=10.0.0.1":                 {"10.0.0.10", "10.0.0.11", "of eth0"},
		"/search?q=443":                      {"443/tcp", "nginx at 10.0.0.10", "web1"},
		"/search?q=open":                     {"openssl", "3.0.16-1 amd64"},
		"/search?q=postgre":                  {"/usr/bin/postgres", "db1"},
		"/search?q=02-00":                    {"02:00:00:00:00:01"},
		"/docs":                              {"/v1/hosts/{host}", "id or name", "ambiguous_name", "404 Not Found"},
		"/account":                           {"ada@example.org", "owner", "Your sessions"},
		"/members":                           {"ada@example.org", "owner", "Invite"},
		"/audit":                             {"ada@example.org", "tenant.create", "192.0.2.1", "site.create"},
		"/sites":                             {"paris-relay", "Last word", "Gaps, 7 days", "stored here too"},
		"/tokens":                            {"paris", "Mint a token"},
		"/packages?q=SSL":                    {"openssl", "Who uses it"},
		"/packages/openssl":                  {"web1", "3.0.16-1", "Versions"},
		"/packages?q=zz":                     {"No package matches"},
		"/hosts?label=env%3Dprod":            {"web1", "Save this view"},
		"/hosts?label=env%3Dnone":            {"No host matches"},
		"/settings":                          {"Example Ltd", "fact_days", "are stored here too", "/audit"},
		"/guides":                            {"Installing", "What died, and why"},
		"/guides/install":                    {"assim-relay", "/guides/"},
		"/entry":                             {"/sso/", "Identity provider", "Domains"},
	} {
		_, body := ada.do(http.MethodGet, path, "")
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not show %q", path, want)
			}
		}
		if strings.Contains(body, "<script>") {
			t.Errorf("%s shows what a host reported as markup", path)
		}
	}
	for path, first := range map[string]string{"/hosts": "name,id,state", "/sites": "site,relay,id", "/tokens": "site,id,name", "/packages": "name,manager,versions,hosts",
		"/changes": "seen_at,host,host_id", "/events": "seen_at,type", "/verdicts": "id,kind", "/findings": "host,host_id", "/members": "email,role"} {
		status, body := ada.do(http.MethodGet, path+"?format=csv", "")
		if lines := strings.Split(strings.TrimSpace(body), "\n"); status != http.StatusOK || !strings.HasPrefix(lines[0], first) || len(lines) < 2 && path != "/verdicts" && path != "/tokens" {
			t.Errorf("%s as CSV: %d %.300q", path, status, body)
		}
	}
	status, body := ada.do(http.MethodGet, "/queries/allipports/csv", "")
	if lines := strings.Split(strings.TrimSpace(body), "\n"); status != http.StatusOK || len(lines) != 3 || !strings.HasPrefix(lines[0], "host,ip,port,") {
		t.Errorf("CSV: %d %q", status, body)
	}
}

func TestCreatingASiteShowsTheInstallLine(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example Ltd", "paris")
	status, body := ada.do(http.MethodPost, "/sites", "name=lyon")
	if status != http.StatusCreated || !strings.Contains(body, "http://localhost/install.sh") || !strings.Contains(body, "asm_rly_") || !strings.Contains(body, "Waiting for the first relay") {
		t.Errorf("creating a site: %d %s", status, body)
	}
	checkPage(t, "POST /sites", body)
	for form, want := range map[string]int{
		"kind=probe&name=web&ttl=3600&max_uses=5&labels=env%3Dprod,+role%3Dweb": 201, "kind=probe&labels=nonsense": 422, "kind=king": 422, "kind=probe&ttl=-5": 422,
		"kind=probe&max_uses=many": 422, "kind=probe&relay_address=x": 422, "kind=relay&labels=a%3Db": 422, "%zz": 400,
	} {
		status, body := ada.do(http.MethodPost, "/sites/lyon/tokens", form)
		if status != want || strings.Contains(body, "asm_enr_") != (want == 201) {
			t.Errorf("mint %s: %d, want %d", form, status, want)
		}
		checkPage(t, form, body)
	}
}

// checkPage fails the test when the page needs what the policy forbids, or is
// hard to use without eyes or a mouse.
func checkPage(t *testing.T, path, body string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	ids := map[string]bool{}
	headings, mains := 0, 0
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
			switch {
			case a.Key == "style", strings.HasPrefix(a.Key, "on"):
				t.Errorf("%s: <%s %s=%q> is against the policy", path, n.Data, a.Key, a.Val)
			case slices.Contains([]string{"href", "src", "action"}, a.Key) && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#"):
				t.Errorf("%s: <%s %s=%q> leads elsewhere", path, n.Data, a.Key, a.Val)
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("%s: two elements have the id %q", path, a.Val)
			}
		}
		ids[attributes["id"]] = attributes["id"] != ""
		switch n.Data {
		case "style":
			t.Errorf("%s: inline style", path)
		case "script":
			if attributes["src"] == "" || n.FirstChild != nil {
				t.Errorf("%s: inline script", path)
			}
		case "h1":
			headings++
		case "main":
			mains++
		case "input", "select":
			// One may be there for programs that keep passwords alone.
			_, unseen := attributes["hidden"]
			if attributes["type"] != "hidden" && !unseen && !within(n, "label") {
				t.Errorf("%s: field %q has no label", path, attributes["name"])
			}
		case "img":
			if _, ok := attributes["alt"]; !ok {
				t.Errorf("%s: image without alt", path)
			}
		}
	}
	if headings != 1 || mains != 1 {
		t.Errorf("%s: %d h1 and %d main, want one of each", path, headings, mains)
	}
}

func within(n *html.Node, tag string) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == tag {
			return true
		}
	}
	return false
}
