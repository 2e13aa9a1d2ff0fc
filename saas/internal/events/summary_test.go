package events

import "testing"

func TestSummary(t *testing.T) {
	for _, test := range []struct{ kind, detail, want string }{
		{"host.enrolled", `{"name":"web1","agent_version":"1.0","cause":""}`, "probe 1.0"},
		{"host.silent", `{"name":"web1","agent_version":"","cause":"no answer for 30 s"}`, "no answer for 30 s"},
		{"relay.started", `{"version":"1.0","detail":""}`, "version 1.0"},
		{"relay.enrolled", `{"name":"r1","token":"abcdefghijkl"}`, "with token abcdefghijkl"},
		{"refusal", `{"subject":"fact","kind":"packages","instance":"3","reason":"too large","detail":"9000000 bytes","cleared":false}`,
			"fact packages/3 refused: too large (9000000 bytes)"},
		{"refusal", `{"subject":"fact","kind":"os","instance":"","reason":"malformed","cleared":true}`, "fact os is no longer refused: malformed"},
		{"refusal", `{"subject":"enrolment","reason":"expired","detail":"expired","token":"abcdefghijkl","from":"r1"}`,
			"enrolment of r1 with token abcdefghijkl refused: expired"},
		{"host.up", `{}`, ""},
		{"new.type", `{"name":3}`, ""},
	} {
		if got := summary(test.kind, []byte(test.detail)); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.kind, test.detail, got, test.want)
		}
	}
}
