package web

import (
	"net/http/httptest"
	"slices"
	"testing"
)

func TestCSVHoldsNoFormulas(t *testing.T) {
	w := httptest.NewRecorder()
	SendCSV(w, "hosts", []string{"name", "=n"}, slices.Values([][]string{{"=1+1", "-5"}, {"@cmd", "+1.5"}, {"a,b", ""}, {"-x", "1"}}))
	want := "name,'=n\n'=1+1,-5\n'@cmd,+1.5\n\"a,b\",\n'-x,1\n"
	if w.Body.String() != want {
		t.Errorf("%q, want %q", w.Body, want)
	}
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="hosts.csv"` {
		t.Error(got)
	}
	r := httptest.NewRequest("GET", "/hosts?cursor=x&state=up", nil)
	if got := CSVOf(r); got != "/hosts?format=csv&state=up" || WantsCSV(r) {
		t.Error(got)
	}
}
