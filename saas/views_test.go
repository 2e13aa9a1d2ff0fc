package saas

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestViewsAreOfOneOrOfAll: one's own are nobody else's, shared ones everybody's,
// and only who may share them takes them away.
func TestViewsAreOfOneOrOfAll(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	ada.twoHosts("")
	bob := s.signUp("bob@example.org", "Elsewhere", "lyon")
	status, body := ada.do("POST", "/v1/api-tokens", `{"name":"x","role":"viewer"}`)
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("a token: %d %s", status, body)
	}
	viewer := client{s, made.Token}

	type view struct {
		ID, Name, Page, Query string
		Shared                bool
	}
	create := func(c client, path, name string, want int) (v view) {
		t.Helper()
		status, body := c.do("POST", path, fmt.Sprintf(`{"name":%q,"page":"/hosts","query":"state=down&cursor=x&site="}`, name))
		if status != want {
			t.Fatalf("%s %s: %d %s, want %d", path, name, status, body, want)
		}
		if want == http.StatusCreated {
			if err := json.Unmarshal([]byte(body), &v); err != nil {
				t.Fatal(err)
			}
		}
		return v
	}
	own := create(viewer, "/v1/views", "mine", http.StatusCreated)
	if own.Query != "state=down" || own.Shared {
		t.Errorf("a view keeps %+v", own)
	}
	create(viewer, "/v1/views", "mine", http.StatusConflict)
	create(viewer, "/v1/shared-views", "ours", http.StatusForbidden)
	ours := create(ada.client, "/v1/shared-views", "ours", http.StatusCreated)
	create(ada.client, "/v1/views", strings.Repeat("x", 101), http.StatusUnprocessableEntity)
	for _, bad := range []string{`{"name":"x","page":"/audit","query":""}`, `{"name":"x","page":"/hosts","query":"%zz"}`, `{"name":" ","page":"/hosts","query":""}`} {
		if status, body := ada.do("POST", "/v1/views", bad); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
	if all := get[list[view]](viewer, "/v1/views?page=/hosts").Items; len(all) != 2 || !all[0].Shared || all[1].Name != "mine" {
		t.Errorf("%+v", all)
	}
	if all := get[list[view]](bob.client, "/v1/views").Items; len(all) != 0 {
		t.Errorf("another tenant sees %+v", all)
	}
	_, page := viewer.do("GET", "/hosts?state=down", "")
	if !strings.Contains(page, `aria-current="true" href="/hosts?state=down"`) || strings.Contains(page, "For everybody") {
		t.Error("the page does not mark the view that is shown, or lets a viewer share")
	}
	for _, test := range []struct {
		c    client
		path string
		want int
	}{
		{bob.client, "/v1/shared-views/" + ours.ID, 404}, {viewer, "/v1/shared-views/" + ours.ID, 403}, {viewer, "/v1/views/" + ours.ID, 404},
		{ada.client, "/v1/shared-views/" + own.ID, 404}, {ada.client, "/v1/shared-views/" + ours.ID, 204}, {viewer, "/v1/views/" + own.ID, 204}, {viewer, "/v1/views/" + own.ID, 404},
	} {
		if status, body := test.c.do("DELETE", test.path, ""); status != test.want {
			t.Errorf("DELETE %s: %d %s, want %d", test.path, status, body, test.want)
		}
	}

	// The forms of the pages do the same.
	if status, body := ada.do("POST", "/shared-views", "page=%2Fchanges&query=kind%3Dpackages&name=packages"); status != http.StatusSeeOther {
		t.Errorf("the form: %d %s", status, body)
	}
	if _, body := viewer.do("GET", "/changes", ""); !strings.Contains(body, `href="/changes?kind=packages"`) {
		t.Error("a shared view is not on its page")
	}
}
