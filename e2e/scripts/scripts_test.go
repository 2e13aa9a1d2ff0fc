// Package scripts_test follows a host's script agents through the real programs:
// what they say becomes a kind, an element of the graph and a history, and those
// that misbehave are refused by name.
package scripts_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

const patience = 2 * time.Minute

// estate is a world with one probe, whose /etc/assim is a folder of the test.
type estate struct {
	*world.World
	t       *testing.T
	scripts string // the folder of scripts
	probe   *world.Process
}

func start(t *testing.T) *estate {
	if os.Getuid() != 0 {
		t.Skip("scripts must be root's: needs root")
	}
	mountPoint(t)
	etc := filepath.Join(t.TempDir(), "assim")
	e := &estate{t: t, scripts: filepath.Join(etc, "discovery.d")}
	for _, dir := range []string{etc, e.scripts} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	e.World = world.New(t, world.Options{})
	_, relay := e.Relay(world.Node{Name: "relay"})
	e.probe = e.Probe(world.Node{Name: "probe", Host: "scripted", Relay: relay, Etc: etc})
	e.HostUp("scripted", patience)
	return e
}

// mountPoint makes /etc/assim where it is not, for the probe's own to be mounted on.
func mountPoint(t *testing.T) {
	const path = "/etc/assim"
	err := os.Mkdir(path, 0o755)
	if errors.Is(err, os.ErrExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	})
}

func (e *estate) write(name, text string, mode os.FileMode) {
	e.t.Helper()
	path := filepath.Join(e.scripts, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		e.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		e.t.Fatal(err)
	}
}

func (e *estate) remove(names ...string) {
	e.t.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(e.scripts, name)); err != nil {
			e.t.Fatal(err)
		}
	}
}

// ship installs a script that comes with the product.
func (e *estate) ship(name string) {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(world.Root(e.t), "ops", "scripts", name))
	if err != nil {
		e.t.Fatal(err)
	}
	e.write(name, string(text), 0o755)
}

// says waits until the fact of a kind holds a text; "" until there is none.
func (e *estate) says(kind, text string) {
	e.t.Helper()
	world.Eventually(e.t, patience, kind+" to say "+text, func() (bool, string) {
		var facts []struct {
			Kind string          `json:"kind"`
			Body json.RawMessage `json:"body"`
		}
		out := e.Assim("host", "facts", "scripted", kind, "-o", "json")
		if err := json.Unmarshal([]byte(out), &facts); err != nil {
			return false, err.Error()
		}
		if text == "" {
			return len(facts) == 0, out
		}
		return len(facts) == 1 && strings.Contains(strings.Join(strings.Fields(string(facts[0].Body)), ""), text), out
	})
}

// inside runs a program where the probe is.
func (e *estate) inside(args ...string) string {
	out, err := exec.Command("nsenter", append([]string{"--mount", "--target", fmt.Sprint(e.probe.PID())}, args...)...).CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		e.t.Fatal(err)
	}
	return string(out)
}

func TestWhatAScriptSaysIsKnown(t *testing.T) {
	e := start(t)
	backups := t.TempDir()
	keep := func(name string, size int) {
		if err := os.WriteFile(filepath.Join(backups, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep(`monday "full".tar`, 10)
	e.write("backup-age.conf", "interval=1m\nASSIM_PATH="+backups+"\n", 0o600)
	e.ship("backup-age")
	e.ship("reboot-required")
	e.says("x-backup-age", `"newest":"monday\"full\".tar"`)
	e.says("x-reboot-required", `"required":`)

	t.Log("an element of the graph")
	rows := e.Rows("graph", "query", `MATCH (h:Host)-[:HAS_OBJECT]->(o:Object {kind: 'x-backup-age'}) RETURN h.name, o.fresh, o.bytes, o.path`)
	if len(rows) != 1 || rows[0]["h.name"] != "scripted" || rows[0]["o.fresh"] != true || fmt.Sprint(rows[0]["o.bytes"]) != "10" || rows[0]["o.path"] != backups {
		t.Errorf("the graph says %v", rows)
	}
	if rows := e.Rows("query", "objects", "kind=x-backup-age"); len(rows) != 1 || rows[0]["host"] != "scripted" {
		t.Errorf("query objects: %v", rows)
	}
	if rows := e.Rows("query", "objects"); len(rows) != 2 {
		t.Errorf("query objects: %v", rows)
	}

	t.Log("a history")
	keep("tuesday.tar", 20)
	e.write("backup-age.conf", "interval=2m\nASSIM_PATH="+backups+"\n", 0o600) // a script that was edited runs at once
	e.says("x-backup-age", `"newest":"tuesday.tar"`)
	changes := e.Assim("changes", "--host", "scripted", "--kind", "x-backup-age", "--since", "1h")
	for _, want := range []string{"tuesday.tar", "monday", "bytes"} {
		if !strings.Contains(changes, want) {
			t.Errorf("changes do not name %q:\n%s", want, changes)
		}
	}
	t.Logf("changes:\n%s", changes)

	t.Log("gone with the script")
	e.remove("backup-age")
	e.says("x-backup-age", "")
	world.Eventually(t, patience, "its object gone", func() (bool, string) {
		rows := e.Rows("query", "objects")
		return len(rows) == 1, fmt.Sprint(rows)
	})

	t.Log("gone with a script that was removed while the probe was down")
	e.probe.Stop()
	e.remove("reboot-required")
	e.probe.Start()
	e.says("x-reboot-required", "")
	e.says("scripts", "")
}

func TestScriptsThatMisbehaveAreRefusedByName(t *testing.T) {
	e := start(t)
	for name, script := range map[string]string{
		"hung":    "sleep 1000",
		"large":   "head -c 1000000 /dev/zero",
		"invalid": "echo hello",
		"failing": "echo 'no such database' >&2; exit 3",
		"Named":   "echo '{}'",
		"open":    "echo '{}'",
		"good":    `echo '{"password": "hunter2", "good": true}'`,
	} {
		e.write(name, "#!/bin/sh\n"+script+"\n", 0o755)
	}
	e.write("hung.conf", "timeout=1s\n", 0o644)
	e.write("open", "#!/bin/sh\necho '{}'\n", 0o777)
	e.says("x-good", `{"good":true,"password":"***"}`)

	want := map[string]string{
		"x-hung/":       "did not end within 1s and was killed",
		"x-large/":      "printed more than 262144 bytes",
		"x-invalid/":    "not one JSON object",
		"x-failing/":    "exit status 3: no such database",
		"scripts/Named": "not named as a kind",
		"scripts/open":  "others than its owner may write it",
	}
	world.Eventually(t, patience, "a finding for each", func() (bool, string) {
		missing := []string{}
		findings := e.Rows("findings", "--host", "scripted")
		for subject, detail := range want {
			if !slices.ContainsFunc(findings, func(f map[string]any) bool {
				return f["subject"] == subject && strings.Contains(fmt.Sprint(f["detail"]), detail)
			}) {
				missing = append(missing, subject)
			}
		}
		return len(missing) == 0, fmt.Sprint("missing ", missing, " in ", findings)
	})
	doctor := e.inside(filepath.Join(e.Bin, "assim-probe"), "doctor", "--state", e.State("probe"))
	facts := e.inside(filepath.Join(e.Bin, "assim-probe"), "facts", "scripts", "x-hung", "x-large", "x-invalid", "x-failing", "x-good")
	for _, detail := range want {
		if !strings.Contains(doctor, detail) || !strings.Contains(facts, detail) {
			t.Errorf("doctor or facts do not say %q:\n%s\n%s", detail, doctor, facts)
		}
	}
	if strings.Contains(facts, "hunter2") || !strings.Contains(facts, `"good": true`) {
		t.Errorf("facts are\n%s", facts)
	}

	t.Log("mended")
	e.remove("hung", "large", "Named", "open")
	e.write("invalid", "#!/bin/sh\necho '{\"mended\": 1}'\n", 0o755)
	e.write("failing", "#!/bin/sh\necho '{\"mended\": 1}'\n", 0o755)
	e.says("x-invalid", `{"mended":1}`)
	world.Eventually(t, patience, "no findings", func() (bool, string) {
		findings := e.Rows("findings", "--host", "scripted")
		return !slices.ContainsFunc(findings, func(f map[string]any) bool {
			return strings.HasPrefix(fmt.Sprint(f["subject"]), "x-") || strings.HasPrefix(fmt.Sprint(f["subject"]), "scripts/")
		}), fmt.Sprint(findings)
	})
}
