package saas

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"assimilation/discovery/scripts"
)

func TestWhatAScriptSaysIsShown(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example Ltd", "paris")
	web, _ := ada.twoHosts("")
	kind := scripts.KindOf("backup-age", time.Hour, time.Minute)
	web.put(scripts.Kind, kind.Name, scripts.Facts{Interval: 3600, Timeout: 60})
	web.put(kind, "", map[string]any{"newest": "monday.tar", "fresh": true, "bytes": 10})
	ada.send()
	web.put(kind, "", map[string]any{"newest": "<script>tuesday.tar", "fresh": true, "bytes": 10})
	ada.send()
	host := "/hosts/" + web.id.String()
	for path, wants := range map[string][]string{
		host:                                 {"x-backup-age", "scripts"},
		host + "/facts/x-backup-age":         {"tuesday.tar"},
		host + "/facts/scripts":              {"3600"},
		host + "/changes?kind=x-backup-age":  {"newest", "monday.tar", "tuesday.tar"},
		"/queries/objects?kind=x-backup-age": {"web1", "tuesday.tar"},
		"/cypher?q=" + url.QueryEscape("MATCH (h:Host)-[:HAS_OBJECT]->(o:Object {kind: 'x-backup-age'}) WHERE o.fresh AND o.bytes > 5 RETURN h.name, o.newest"): {"web1", "tuesday.tar"},
	} {
		status, body := ada.do(http.MethodGet, path, "")
		if status != http.StatusOK || strings.Contains(body, "<script>") {
			t.Errorf("%s: %d, or markup of a script", path, status)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not show %q", path, want)
			}
		}
	}
}
