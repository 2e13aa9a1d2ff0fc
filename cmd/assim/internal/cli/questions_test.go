package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Scripts go by the exit code: 0 yes, 10 no, and neither when nobody knows.
func TestSafeToRebootTellsByItsExitCode(t *testing.T) {
	isolate(t)
	answer, status := "", http.StatusOK
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/login" {
			json.NewEncoder(w).Encode(map[string]any{"token": "asm_api_x", "tenant": map[string]string{"name": "t"}})
			return
		}
		if r.URL.Path != "/v1/queries/safe-to-reboot" || r.URL.Query().Get("host") != "db1" {
			t.Errorf("asked %s", r.URL)
		}
		w.WriteHeader(status)
		w.Write([]byte(answer))
	}))
	defer service.Close()
	run(t, "x\n", "login", "--url", service.URL, "--email", "a@b.c")
	for _, test := range []struct {
		answer string
		status int
		code   int
	}{
		{`{"columns":["safe","service"],"items":[]}`, 200, 0},
		{`{"columns":["safe","service"],"items":[{"safe":"yes","service":"nginx"}]}`, 200, 0},
		{`{"columns":["safe","service"],"items":[{"safe":"no","service":"postgres"},{"safe":"yes","service":"nginx"}]}`, 200, 10},
		{`{"columns":["safe","service"],"items":[{"service":"postgres"}]}`, 200, 10},
		{`{}`, 422, 1}, {`{}`, 500, 1},
	} {
		answer, status = test.answer, test.status
		code, out, errs := run(t, "", "safe-to-reboot", "db1", "-o", "csv")
		if code != test.code {
			t.Errorf("%s: exit code %d, want %d: %s", test.answer, code, test.code, errs)
		}
		if strings.Contains(test.answer, "postgres") && !strings.Contains(out, "postgres") {
			t.Errorf("%s: printed %q", test.answer, out)
		}
	}
}
