package cli_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assimilation/cmd/assim/internal/cli"
)

// run executes one command line in a folder without any configuration.
func run(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = cli.Main(args, strings.NewReader(stdin), &o, &e)
	return code, o.String(), e.String()
}

func isolate(t *testing.T) (config string) {
	t.Helper()
	config = filepath.Join(t.TempDir(), "config.yaml")
	t.Setenv("ASSIM_CONFIG", config)
	t.Setenv("ASSIM_URL", "")
	return config
}

func TestWrongUsageIsExitCode2AndSaysWhatToDo(t *testing.T) {
	isolate(t)
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"host"}, "needs one of: facts, list, rename, retire, show"},
		{[]string{"frobnicate"}, "unknown command"},
		{[]string{"host", "show"}, "takes HOST"},
		{[]string{"token", "list", "paris"}, "takes no arguments"},
		{[]string{"host", "list", "--nope"}, "unknown flag"},
		{[]string{"host", "list", "-o", "xml"}, "table, json, yaml, csv"},
		{[]string{"query"}, "assim query list"},
		{[]string{"token", "create"}, "required flag"},
		{[]string{"signup", "--email", "a@b.c", "--tenant", "x"}, "--url"},
		{[]string{"login", "--email", "a@b.c", "--url", "ftp://x"}, "not the address of a service"},
	} {
		code, _, errs := run(t, "", test.args...)
		if code != 2 || !strings.Contains(errs, test.says) {
			t.Errorf("assim %q: exit code %d, %q; want 2 and %q", test.args, code, errs, test.says)
		}
	}
}

func TestExitCodesTellRefusalsApart(t *testing.T) {
	isolate(t)
	status := http.StatusOK
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"title": "refused", "detail": "because", "token": "asm_api_x",
			"tenant": map[string]string{"name": "t"}, "items": []any{}})
	}))
	defer service.Close()
	if code, _, _ := run(t, "", "host", "list"); code != 3 {
		t.Errorf("without a context: exit code %d, want 3", code)
	}
	if code, _, errs := run(t, "secret\n", "login", "--url", service.URL, "--email", "a@b.c"); code != 0 {
		t.Fatalf("login: exit code %d: %s", code, errs)
	}
	for _, test := range []struct{ status, code int }{{200, 0}, {401, 3}, {403, 3}, {404, 4}, {422, 1}, {500, 1}} {
		status = test.status
		code, _, errs := run(t, "", "host", "list")
		if code != test.code {
			t.Errorf("HTTP %d: exit code %d, want %d", test.status, code, test.code)
		}
		if test.code != 0 && !strings.Contains(errs, "refused: because") {
			t.Errorf("HTTP %d: said %q", test.status, errs)
		}
	}
	service.Close()
	if code, _, _ := run(t, "", "host", "list"); code != 5 {
		t.Errorf("service gone: exit code %d, want 5", code)
	}
}

func TestLoginKeepsTheTokenPrivate(t *testing.T) {
	config := isolate(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		json.NewDecoder(r.Body).Decode(&in)
		if in["password"] != "correct horse" || in["email"] != "a@b.c" {
			t.Errorf("the service got %v", in)
		}
		json.NewEncoder(w).Encode(map[string]any{"token": "asm_api_x", "tenant": map[string]string{"name": "Example"}})
	}))
	defer service.Close()
	code, out, errs := run(t, "correct horse\n", "login", "--url", service.URL, "--email", "a@b.c")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if strings.Contains(out+errs, "asm_api_x") {
		t.Error("the token was printed")
	}
	info, err := os.Stat(config)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("configuration has mode %v, want 0600", info.Mode().Perm())
	}
}

func TestFormats(t *testing.T) {
	isolate(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/login" {
			json.NewEncoder(w).Encode(map[string]any{"token": "asm_api_x", "tenant": map[string]string{"name": "Example"}})
			return
		}
		if r.Header.Get("Authorization") != "Bearer asm_api_x" {
			t.Errorf("authorization %q", r.Header.Get("Authorization"))
		}
		// Two pages, and a name that would recolour the terminal.
		if r.URL.Query().Get("cursor") == "" {
			w.Write([]byte(`{"items":[{"ip":"10.0.0.1","port":22,"n":9007199254740993}],"columns":["ip","port","n"],"next_cursor":"c"}`))
			return
		}
		w.Write([]byte("{\"items\":[{\"ip\":\"\\u001b[31m\",\"port\":23,\"n\":1}],\"columns\":[\"ip\",\"port\",\"n\"]}"))
	}))
	defer service.Close()
	run(t, "x\n", "login", "--url", service.URL, "--email", "a@b.c")
	for format, want := range map[string]string{
		"table": "IP        PORT  N\n10.0.0.1  22    9007199254740993\n?[31m     23    1\n",
		"csv":   "ip,port,n\n10.0.0.1,22,9007199254740993\n?[31m,23,1\n",
		"json":  "[\n  {\n    \"ip\": \"10.0.0.1\",\n    \"port\": 22,\n    \"n\": 9007199254740993\n  },\n  {\n    \"ip\": \"\\u001b[31m\",\n    \"port\": 23,\n    \"n\": 1\n  }\n]\n",
		"yaml":  "- ip: 10.0.0.1\n  \"n\": 9007199254740993\n  port: 22\n- ip: \"\\e[31m\"\n  \"n\": 1\n  port: 23\n",
	} {
		code, out, errs := run(t, "", "query", "allipports", "-o", format)
		if code != 0 || out != want {
			t.Errorf("-o %s: exit code %d %s\n%q\nwant\n%q", format, code, errs, out, want)
		}
	}
}

func TestATopologyDoesNotDriveTheTerminal(t *testing.T) {
	isolate(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/login" {
			json.NewEncoder(w).Encode(map[string]any{"token": "asm_api_x", "tenant": map[string]string{"name": "Example"}})
			return
		}
		const hostile = "\x1b[31m\u009b1m\u202e"
		json.NewEncoder(w).Encode(map[string]any{
			"relay": "r" + hostile,
			"switches": []map[string]any{{
				"domain": "d", "chassis": "mac 1" + hostile, "name": "sw" + hostile, "zone": "z" + hostile, "state": "up",
				"ports": []map[string]any{{"port": "1" + hostile, "host": "a", "interface": "eth0" + hostile}},
			}},
			"hosts": []map[string]any{
				{"host": "a", "name": "db1" + hostile, "domain": "d", "state": "up"}, {"host": "b", "name": "db2" + hostile, "domain": "d", "state": "up" + hostile},
			},
		})
	}))
	defer service.Close()
	run(t, "x\n", "login", "--url", service.URL, "--email", "a@b.c")
	code, out, errs := run(t, "", "topology", "paris")
	if code != 0 || !strings.Contains(out, "db1") || !strings.Contains(out, "db2") || strings.ContainsAny(out, "\x1b\u009b\u202e") {
		t.Errorf("exit code %d %s\n%q", code, errs, out)
	}
}
