package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func run(args []string, in string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = Main(context.Background(), args, Streams{In: strings.NewReader(in), Out: &stdout, Err: &stderr})
	return code, stdout.String(), stderr.String()
}

func TestExitCodesAndWords(t *testing.T) {
	for _, name := range []string{"ASSIM_STATE", "ASSIM_LISTEN", "ASSIM_HTTP", "ASSIM_TOKEN", "ASSIM_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	state := t.TempDir()
	missing := filepath.Join(state, "missing")
	damaged := filepath.Join(state, "token")
	if err := os.WriteFile(damaged, []byte("asm_rly_abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const nobody = "127.0.0.1:1" // port 1: tcpmux, refused everywhere
	for name, c := range map[string]struct {
		args []string
		in   string
		code int
		want string
	}{
		"help":                 {[]string{"--help"}, "", exitOK, "Exit codes"},
		"help of a command":    {[]string{"run", "--help"}, "", exitOK, "ASSIM_TOKEN_FILE=/etc/assim/relay.token assim-relay run"},
		"version":              {[]string{"version"}, "", exitOK, Version},
		"version as JSON":      {[]string{"version", "-o", "json"}, "", exitOK, `"version"`},
		"unknown command":      {[]string{"dance"}, "", exitUsage, "unknown command"},
		"unknown flag":         {[]string{"run", "--dance"}, "", exitUsage, "unknown flag"},
		"argument too many":    {[]string{"status", "now"}, "", exitUsage, "now"},
		"unknown output":       {[]string{"status", "-o", "xml"}, "", exitUsage, "table or json"},
		"public status":        {[]string{"run", "--state", state, "--http", "0.0.0.0:1985"}, "", exitUsage, "loopback"},
		"bad listen address":   {[]string{"run", "--state", state, "--listen", "nonsense"}, "", exitUsage, "host:port"},
		"status of nobody":     {[]string{"status", "--http", nobody}, "", exitNobody, "no relay answers"},
		"probes of nobody":     {[]string{"probes", "--http", nobody}, "", exitNobody, "no relay answers"},
		"doctor of nobody":     {[]string{"doctor", "--http", nobody, "--state", missing, "--listen", "127.0.0.1:0"}, "", exitWrong, "no store"},
		"enrol without token":  {[]string{"enrol", "--state", state}, "", exitRefused, "not enrolled"},
		"enrol, damaged token": {[]string{"enrol", "--state", state, "--token-file", damaged}, "", exitRefused, "malformed"},
		"enrol from stdin":     {[]string{"enrol", "--state", state, "--token-file", "-"}, "hunter2\n", exitRefused, "malformed"},
		"run, notify nobody":   {[]string{"run", "--state", state, "--notify-exec", "/nowhere"}, "", exitUsage, "notifying by exec"},
		"notify-test, nowhere": {[]string{"notify-test"}, "", exitWrong, "no channel is configured"},
		"notify-test, wrong":   {[]string{"notify-test", "--notify-webhook", "hunter2"}, "", exitUsage, "notifying by webhook"},
		"notify-test":          {[]string{"notify-test", "--notify-exec", "/bin/true"}, "", exitOK, "exec  told"},
		"notify-test as JSON":  {[]string{"notify-test", "--notify-exec", "/bin/false", "-o", "json"}, "", exitWrong, `"error": "/bin/false: exit status 1"`},
		"enrol, no such file":  {[]string{"enrol", "--state", state, "--token-file", missing}, "", exitWrong, "reading the token"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(c.args, c.in)
			if code != c.code || !strings.Contains(out+errs, c.want) {
				t.Errorf("exit code %d, want %d; said %q %q, want %q in it", code, c.code, out, errs, c.want)
			}
			if strings.Contains(out+errs, "hunter2") {
				t.Error("the token is repeated")
			}
		})
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the doctor made a state directory")
	}
}
