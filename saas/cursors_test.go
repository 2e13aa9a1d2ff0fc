package saas

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"assimilation/uplink"
	"assimilation/wire"
)

// identity is what tells an item of a list from all others.
func identity(item json.RawMessage) string {
	var one map[string]json.RawMessage
	if json.Unmarshal(item, &one) != nil {
		return string(item)
	}
	var parts []string
	for _, name := range []string{"id", "at", "relay_id", "host", "host_id", "kind", "instance", "rule", "subject", "hash", "opened_at"} {
		parts = append(parts, name+"="+string(one[name]))
	}
	return strings.Join(parts, " ")
}

// TestPagesAreStable reads every list page by page while things are added before,
// after and between what was read: what was there is seen, once.
func TestPagesAreStable(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	round := 0
	add := func() {
		t.Helper()
		round++
		for _, name := range []string{"aa", "mm", "zz"} {
			m := ada.machine(fmt.Sprintf("%s-%d", name, round))
			m.install(fmt.Sprintf("1.%d", round))
			ada.add(uplink.Change{Type: uplink.Refusal, Host: m.id, Kind: "x-big", Instance: fmt.Sprint(round), Refusal: &uplink.RefusalBody{Subject: "fact", Reason: wire.TooLarge, From: m.name}})
			ada.conclude(uplink.HostDown, round, m)
		}
		ada.send()
		if code, body := ada.do("POST", "/v1/sites", fmt.Sprintf(`{"name":"site-%d"}`, round)); code != http.StatusCreated {
			t.Fatalf("a site: %d %s", code, body)
		}
		for range 2 {
			if code, body := ada.do("POST", "/v1/sites/paris/tokens", `{"kind":"probe"}`); code != http.StatusCreated {
				t.Fatalf("a token: %d %s", code, body)
			}
		}
	}
	add()
	add()
	for _, path := range []string{"/v1/hosts", "/v1/events", "/v1/changes", "/v1/findings", "/v1/verdicts", "/v1/audit", "/v1/sites", "/v1/sites/paris/tokens", "/v1/members", "/v1/sites/paris/relays"} {
		there := map[string]bool{}
		for _, item := range get[list[json.RawMessage]](ada.client, path+"?limit=500").Items {
			there[identity(item)] = true
		}
		seen := map[string]int{}
		pages := 0
		for cursor := ""; ; {
			page := get[list[json.RawMessage]](ada.client, path+"?limit=2&cursor="+cursor)
			if len(page.Items) > 2 {
				t.Errorf("%s: a page of %d", path, len(page.Items))
			}
			for _, item := range page.Items {
				seen[identity(item)]++
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
			if pages++; pages == 2 {
				add()
			}
		}
		for item := range there {
			if seen[item] != 1 {
				t.Errorf("%s: %d times: %s", path, seen[item], item)
			}
		}
		for item, n := range seen {
			if n != 1 {
				t.Errorf("%s: %d times: %s", path, n, item)
			}
		}
		for _, bad := range []string{"limit=0", "limit=1001", "limit=-1", "cursor=" + strings.Repeat("A", 2000), "cursor=%00", "cursor=%FF", "cursor=none"} {
			if code, body := ada.do("GET", path+"?"+bad, ""); code != http.StatusUnprocessableEntity {
				t.Errorf("%s?%s: %d %s, want 422", path, bad, code, body)
			}
		}
	}
}
