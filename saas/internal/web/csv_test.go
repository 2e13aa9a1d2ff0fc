package web

import (
	"net/http/httptest"
	"slices"
	"testing"
)

func TestACellIsNoFormula(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "web": "web", "-5": "-5", "+1.5": "+1.5", "1e9": "1e9", "a=b": "a=b", "a;b": "a;b", "a-b; c": "a-b; c",
		"=1": "'=1", "@SUM(1)": "'@SUM(1)", "\t=1": "'\t'=1", "\uff1d1": "'\uff1d1", "-x": "'-x",
		"a;=1": "a;'=1", "a;\"=1\"": "a;\"'=1\"", "a\t+1": "a\t'+1", "a\r\n@x": "a\r\n'@x", "=a;=b": "'=a;'=b", "a;\uff0b1": "a;'\uff0b1",
	} {
		if got := Cell(cell); got != want {
			t.Errorf("%q is %q, want %q", cell, got, want)
		}
	}
}

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
