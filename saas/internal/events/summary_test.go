package events

import "testing"

func TestSummary(t *testing.T) {
	for _, test := range []struct{ kind, detail, want string }{
		{"host.enrolled", `{"name":"web1","agent_version":"1.0","cause":""}`, "probe 1.0"},
		{"host.silent", `{"name":"web1","agent_version":"","cause":"no answer for 30 s"}`, "no answer for 30 s"},
		{"host.shut-down", `{"name":"web1","agent_version":"1.0","cause":"signal"}`, "its probe was stopped, probe 1.0"},
		{"host.shut-down", `{"name":"web1","agent_version":"1.0","cause":"host shutdown"}`, "host shutdown, probe 1.0"},
		{"relay.started", `{"version":"1.0","detail":""}`, "version 1.0"},
		{"relay.enrolled", `{"name":"r1","token":"abcdefghijkl"}`, "with token abcdefghijkl"},
		{"refusal", `{"subject":"fact","kind":"packages","instance":"3","reason":"too large","detail":"9000000 bytes","cleared":false}`,
			"fact packages/3 refused: too large (9000000 bytes)"},
		{"refusal", `{"subject":"fact","kind":"os","instance":"","reason":"malformed","cleared":true}`, "fact os is no longer refused: malformed"},
		{"refusal", `{"subject":"enrolment","reason":"expired","detail":"expired","token":"abcdefghijkl","from":"r1"}`,
			"enrolment of r1 with token abcdefghijkl refused: expired"},
		{"host.up", `{}`, ""},
		{"verdict.host-down", `{"kind":"host down","name":"web1","hosts":1,"confidence":95,"since":"2026-03-04T12:00:03Z"}`,
			"host down: web1, last sign of life 12:00:03 UTC, confidence 95 %"},
		{"verdict.switch-down", `{"kind":"switch down","hosts":48,"confidence":80}`, "switch down: 48 hosts, confidence 80 %"},
		{"verdict.site-cut-off", `{"kind":"site cut off","hosts":0,"confidence":90}`, "site cut off: confidence 90 %"},
		{"verdict.over", `{"kind":"switch down","hosts":48,"confidence":80,"ending":"back","since":"2026-03-04T12:00:03Z"}`, "switch down is over: back, 48 hosts"},
		{"verdict.over", `{"kind":"site dark","hosts":0,"ending":"heard again"}`, "site dark is over: heard again"},
		{"verdict.explained", `{"kind":"site dark","hosts":2,"ending":"WAN cut"}`, "site dark explained: WAN cut"},
		{"new.type", `{"name":3}`, ""},
	} {
		if got := summary(test.kind, []byte(test.detail)); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.kind, test.detail, got, test.want)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("1760000000000000.17")
	f.Add("-1.-1")
	f.Add("99999999999999999999.1")
	f.Fuzz(func(t *testing.T, cursor string) {
		at, id, ok := parseCursor(cursor)
		if ok && (id < 1 || at.Year() > 9999 || at.Year() < 1970) {
			t.Errorf("%q is taken for %s and %d", cursor, at, id)
		}
	})
}
