package sites_test

import (
	"net/http"
	"strings"
	"testing"

	"assimilation/saas/internal/sites"
)

func TestSitesAreLocated(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "paris")
	var got sites.Site
	w.must(w.call(adminOfA, "PUT", "/v1/sites/paris/location", `{"name":" Rue de la Paix ","latitude":48.8698,"longitude":2.3311}`, &got), http.StatusOK, "locating")
	if got.Location.Name != "Rue de la Paix" || got.Location.Coordinates() != "48.8698, 2.3311" {
		t.Errorf("location %+v", got.Location)
	}
	got = sites.Site{}
	w.must(w.call(viewerOfA, "GET", "/v1/sites/paris", "", &got), http.StatusOK, "reading")
	if got.Location.Coordinates() != "48.8698, 2.3311" {
		t.Errorf("location %+v is not kept", got.Location)
	}
	for body, want := range map[string]int{
		`{"latitude":48.8}`:                           http.StatusUnprocessableEntity,
		`{"latitude":91,"longitude":2}`:               http.StatusUnprocessableEntity,
		`{"latitude":1,"longitude":-181}`:             http.StatusUnprocessableEntity,
		`{"name":"` + strings.Repeat("x", 101) + `"}`: http.StatusUnprocessableEntity,
		`{"name":"a\u0000b"}`:                         http.StatusUnprocessableEntity,
	} {
		w.must(w.call(adminOfA, "PUT", "/v1/sites/paris/location", body, nil), want, "locating by "+body)
	}
	w.must(w.call(viewerOfA, "PUT", "/v1/sites/paris/location", `{}`, nil), http.StatusForbidden, "a viewer locates")
	if n := query[int](w, w.a.id, `SELECT count(*) FROM audit WHERE action = 'site.locate' AND after->>'coordinates' = '48.8698, 2.3311'`); n != 1 {
		t.Errorf("%d entries in the audit log", n)
	}
	got = sites.Site{}
	w.must(w.call(adminOfA, "PUT", "/v1/sites/paris/location", `{}`, &got), http.StatusOK, "taking it off the map")
	if got.Location.Latitude != nil || got.Location.Name != "" {
		t.Errorf("location %+v", got.Location)
	}
}
