package collect

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assimilation/discovery"
	kind "assimilation/discovery/scripts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scriptOf writes a shell script and returns its agent.
func scriptOf(t *testing.T, text string) agent {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return agent{path: path, name: "test", interval: kind.DefaultInterval, timeout: time.Minute}
}

func TestWhatAScriptSaysIsAFact(t *testing.T) {
	t.Setenv("ASSIM_TOKEN", "asm_of_the_probe")
	for _, c := range []struct{ name, script, want string }{
		{"an object", `echo '{"b": [1, true, null, "x"], "a": {"c": -7}}'`, `{"a":{"c":-7},"b":[1,true,null,"x"]}`},
		{"an empty object", `printf '{}'`, `{}`},
		{"arguments", `echo "{\"kind\": \"$ASSIM_KIND\", \"name\": \"$ASSIM_NAME\", \"path\": \"$ASSIM_PATH\"}"`, `{"kind":"x-test","name":"test","path":"/var/backups"}`},
		{"nothing of the probe's environment", `echo "{\"given\": \"$ASSIM_TOKEN\", \"at\": \"$PWD\"}"`, `{"at":"/","given":""}`},
		{"nothing to read", `read x; echo "{\"status\": $?}"`, `{"status":1}`},
		{"the lowest priority", `echo "{\"nice\": $(nice)}"`, `{"nice":19}`},
		{"words on standard error", `echo trouble >&2; echo '{"ok": true}'`, `{"ok":true}`},
		{"secrets", `echo '{"password":"p1","db":{"api_key":["p2",3]},"token":7,"url":"https://u:p3@h/","env":[{"name":"DB_PASSWORD","value":"p4"}],"argv":"mysql --password=p5"}'`,
			`{"argv":"mysql --password=***","db":{"api_key":["***","***"]},"env":[{"name":"DB_PASSWORD","value":"***"}],"password":"***","token":"***","url":"https://***@h/"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := scriptOf(t, c.script)
			a.arguments = "ASSIM_PATH=/var/backups"
			facts, err := a.Collect(t.Context())
			if err != nil || len(facts) != 1 {
				t.Fatalf("%d facts, %v", len(facts), err)
			}
			if f := facts[0]; string(f.Body) != c.want || f.Kind != "x-test" || f.Instance != "" || f.Check() != nil {
				t.Errorf("%s %q: %s, want %s", f.Kind, f.Instance, f.Body, c.want)
			}
		})
	}
}

func TestWhatIsNoFactIsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name, script, want string
		invalid, large     bool
	}{
		{"nothing", `true`, "not one JSON object", true, false},
		{"words", `echo hello`, "not one JSON object", true, false},
		{"half an object", `printf '{"a": 1'`, "not one JSON object", true, false},
		{"two objects", `echo '{} {}'`, "not one JSON object", true, false},
		{"a list", `echo '[1]'`, "no object", true, false},
		{"a fraction", `echo '{"load": {"one": 0.5}}'`, "/load/one is 0.5: numbers are whole", true, false},
		{"a large number", `echo '{"n": 9223372036854775808}'`, "/n is 9223372036854775808", true, false},
		{"a name twice", `echo '{"a": {"b": 1, "b": 2}}'`, "/a/b is named twice", true, false},
		{"no UTF-8", `printf '{"a": "\377"}'`, "not valid UTF-8", true, false},
		{"a zero byte", `echo '{"a": "\u0000"}'`, "U+0000", true, false},
		{"too deep", `printf '{"a":%s1%s}' "$(printf '[%.0s' $(seq 16))" "$(printf ']%.0s' $(seq 16))"`, "nested", true, false},
		{"too much", `head -c 300000 /dev/zero`, "more than 262144 bytes", true, true},
		{"no end of output", `yes`, "more than 262144 bytes", true, true},
		{"failure", `echo first >&2; echo "cannot log in: password=hunter2" >&2; exit 3`, "ended with exit status 3: cannot log in: password=***", false, false},
		{"death", `kill -9 $$`, "killed by signal 9", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := scriptOf(t, c.script)
			facts, err := a.Collect(t.Context())
			if err == nil || len(facts) != 0 {
				t.Fatalf("%d facts, %v", len(facts), err)
			}
			if text := err.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, a.path) && !strings.Contains(text, "x-test") || strings.Contains(text, "hunter2") {
				t.Errorf("%v, want %q", err, c.want)
			}
			invalid, is := errors.AsType[*discovery.Invalid](err)
			if is != c.invalid || is && invalid.TooLarge != c.large {
				t.Errorf("error is %#v", err)
			}
		})
	}
}

// What a script leaves in its process group ends with it, and with its time.
func TestNothingOfAScriptIsLeft(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"that hangs", `sleep 1000 >"$ASSIM_PIPE" & trap '' TERM INT; sleep 1000`, "did not end within 200ms and was killed"},
		{"that ends", `sleep 1000 >"$ASSIM_PIPE" & echo '{}'`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			// Held open for reading and writing, so that the script need not wait.
			held, err := os.OpenFile(pipe, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			reader, err := os.Open(pipe)
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			held.Close()
			a := scriptOf(t, c.script)
			a.arguments = "ASSIM_PIPE=" + pipe
			if c.want != "" {
				a.timeout = 200 * time.Millisecond
			}
			_, err = a.Collect(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			// The end of the file comes when nobody holds the pipe for writing.
			if n, err := reader.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("read %d bytes, %v", n, err)
			}
		})
	}
}

func TestAScriptEndsWithTheProbe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scriptOf(t, `sleep 1000`).Collect(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,-2,{"b":"\u0001\"é"}],"c":null}`, `{"a":1.5}`, `{"a":1,"a":2}`, `[{"a":1}]`, `{"password":{"a":["b",1]}}`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		body, err := decode(output)
		if err != nil {
			return
		}
		fact, err := discovery.NewFact(kind.KindOf("test", time.Hour, time.Minute), "", body)
		if err != nil {
			return // a zero byte, or too deep
		}
		again, err := decode(fact.Body)
		if err != nil {
			t.Fatalf("%s is refused: %v", fact.Body, err)
		}
		if same, err := discovery.Canonical(again); err != nil || string(same) != string(fact.Body) {
			t.Errorf("%s becomes %s, %v", fact.Body, same, err)
		}
	})
}
