package saas

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An owner asks twice to delete the tenant, takes it back, and everybody sees it
// meanwhile.
func TestATenantIsDeletedOnlyByWhoMeansIt(t *testing.T) {
	s := newServiceWith(t, func(c *Config) { c.DeletionGrace = 7 * 24 * time.Hour })
	ada := s.signUp("ada@example.org", "Example", "paris")
	const path = "/v1/tenant/deletion"
	for body, want := range map[string]int{
		`{"name":"example","confirm":true}`:  http.StatusUnprocessableEntity,
		`{"name":"Example","confirm":false}`: http.StatusUnprocessableEntity,
		`{"name":"Example"}`:                 http.StatusUnprocessableEntity,
	} {
		if status, answer := ada.do("POST", path, body); status != want {
			t.Errorf("%s: %d %s, want %d", body, status, answer, want)
		}
	}
	type deletion struct {
		State, DueAt string
		GraceDays    float64 `json:"grace_days"`
	}
	if d := get[deletion](ada.client, path); d.State != "none" {
		t.Errorf("before: %+v", d)
	}
	if status, answer := ada.do("DELETE", path, ""); status != http.StatusNotFound {
		t.Errorf("nothing to take back: %d %s", status, answer)
	}
	status, answer := ada.do("POST", path, `{"name":"Example","confirm":true}`)
	var asked deletion
	if err := json.Unmarshal([]byte(answer), &asked); err != nil || status != http.StatusAccepted || asked.State != "waiting" {
		t.Fatalf("asked: %d %s", status, answer)
	}
	if d := get[deletion](ada.client, path); d.State != "waiting" {
		t.Errorf("waiting: %+v", d)
	}
	if status, answer := ada.do("DELETE", path, ""); status != http.StatusNoContent {
		t.Errorf("taking it back: %d %s", status, answer)
	}
	if d := get[deletion](ada.client, path); d.State != "none" {
		t.Errorf("after: %+v", d)
	}
	log := get[list[struct{ Action string }]](ada.client, "/v1/audit?action=tenant").Items
	if len(log) < 2 || log[0].Action != "tenant.keep" || log[1].Action != "tenant.delete" {
		t.Errorf("the audit log says %v", log)
	}
}

// What a tenant has is counted, and what it may not have is refused with a code.
func TestUsageIsShownAndSitesHaveALimit(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	ada.twoHosts("")
	usage := get[struct {
		Items []struct {
			Quota       string
			Used, Limit int64
		}
	}](ada.client, "/v1/usage")
	used := map[string]int64{}
	for _, i := range usage.Items {
		used[i.Quota] = i.Used
		if i.Limit <= 0 {
			t.Errorf("%+v", i)
		}
	}
	if used["hosts"] != 2 || used["sites"] != 1 || used["changes"] == 0 || used["storage"] == 0 {
		t.Errorf("used %v", used)
	}
	var out strings.Builder
	one := int64(1)
	if err := Quota(t.Context(), s.config, "Example", map[string]*int64{"sites": &one}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "sites") || !strings.Contains(out.String(), "its own") {
		t.Errorf("the operator sees %s", out.String())
	}
	if status, answer := ada.do("POST", "/v1/sites", `{"name":"lyon"}`); status != http.StatusConflict || !strings.Contains(answer, `"over_quota"`) {
		t.Errorf("one site more: %d %s", status, answer)
	}
	out.Reset()
	if err := Tenants(t.Context(), s.config, &out); err != nil || !strings.Contains(out.String(), "2/10000") {
		t.Errorf("the tenants: %s %v", out.String(), err)
	}
}
