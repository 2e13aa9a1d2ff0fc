package saas

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// TestASitesOperator acts at the site where a role was given, by id and by name,
// and nowhere else.
func TestASitesOperator(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	paris, _ := ada.twoHosts("paris-")
	status, body := ada.do("POST", "/v1/sites", `{"name":"lyon"}`)
	var lyon struct{ ID tenancy.SiteID }
	if err := json.Unmarshal([]byte(body), &lyon); err != nil || status != http.StatusCreated {
		t.Fatalf("a second site: %d %s", status, body)
	}
	// A token of the site lyon, and one of the site paris.
	token := func(site tenancy.SiteID, role string) client {
		t.Helper()
		status, body := ada.do("POST", "/v1/api-tokens", `{"name":"x","role":"`+role+`","site_id":"`+site.String()+`"}`)
		var made struct{ Token string }
		if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
			t.Fatalf("a token: %d %s", status, body)
		}
		return client{s, made.Token}
	}
	far, near, reader := token(lyon.ID, "operator"), token(ada.source.Site, "operator"), token(ada.source.Site, "viewer")
	for _, test := range []struct {
		name         string
		c            client
		method, path string
		want         int
	}{
		{"another site's host, by name", far, "POST", "/v1/hosts/" + paris.name + "/retire", 403},
		{"another site's host, by id", far, "POST", "/v1/hosts/" + paris.id.String() + "/retire", 403},
		{"another site's host, read", far, "GET", "/v1/hosts/" + paris.name, 403},
		{"another site's page", far, "GET", "/hosts/" + paris.name, 403},
		{"a host that is not there", near, "POST", "/v1/hosts/nothing/retire", 403},
		{"another site", near, "GET", "/v1/sites/lyon", 403},
		{"another site, by id", near, "GET", "/v1/sites/" + lyon.ID.String(), 403},
		{"all hosts", near, "GET", "/v1/hosts", 403},
		{"all hosts, by a site's name", near, "GET", "/v1/hosts?site=paris", 403},
		{"all changes", near, "GET", "/v1/changes", 403},
		{"a question", near, "GET", "/v1/queries/allservers", 403},
		{"members", near, "GET", "/v1/members", 403},
		{"what an operator may not at the site", near, "POST", "/v1/sites/paris/tokens", 403},
		{"its own site", near, "GET", "/v1/sites/paris", 200},
		{"its own host", near, "GET", "/v1/hosts/" + paris.id.String(), 200},
		{"its own relays", near, "GET", "/v1/sites/paris/relays", 200},
		{"a reader retires", reader, "POST", "/v1/hosts/" + paris.name + "/retire", 403},
		{"an operator retires", near, "POST", "/v1/hosts/" + paris.name + "/retire", 200},
	} {
		if status, body := test.c.do(test.method, test.path, `{"kind":"probe"}`); status != test.want {
			t.Errorf("%s: %d %.200s, want %d", test.name, status, body, test.want)
		}
	}
	// Two hosts of one name at two sites: the name is of neither site alone.
	ada.machine("twin")
	ada.machine("twin")
	ada.send()
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE assim.hosts SET site = $1 WHERE id = (SELECT id FROM assim.hosts WHERE name = 'twin' LIMIT 1)`, lyon.ID)
		return err
	})
	if status, _ := near.do("POST", "/v1/hosts/twin/retire", ""); status != 403 {
		t.Errorf("a name that two sites have: %d", status)
	}
}
