package notify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script makes a program of shell lines; "$DIR" in them is a folder of the test.
func script(t *testing.T, lines string) (path, dir string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "hook")
	text := "#!/bin/sh\nDIR='" + dir + "'\n" + lines + "\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, dir
}

func TestHookIsTold(t *testing.T) {
	t.Setenv("ASSIM_TOKEN", "hunter2")
	path, dir := script(t, `cat >"$DIR/in"; env >"$DIR/env"`)
	n := open(t, Config{Exec: path})
	if outcomes := n.Test(t.Context(), note().At); outcomes[0].Err != nil {
		t.Fatal(outcomes[0].Err)
	}
	m := n.message(note())
	if err := n.couriers[0].channel.tell(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	in, err := os.ReadFile(filepath.Join(dir, "in"))
	if err != nil || string(in) != string(m.body) || !json.Valid(in) {
		t.Errorf("it read %q, %v", in, err)
	}
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ASSIM_KEY=" + m.key, "ASSIM_EVENT=opened", "ASSIM_KIND=host down", "ASSIM_HOSTS=web-1 web-2", "ASSIM_COUNT=2",
		"ASSIM_SINCE=2026-03-01T12:00:00Z", "ASSIM_OVER=", "ASSIM_DOMAIN=sw-a", "ASSIM_ZONE=rack 4", "ASSIM_RELAY=relay-1",
	} {
		if !strings.Contains("\n"+string(env), "\n"+want+"\n") {
			t.Errorf("%s is not in its environment:\n%s", want, env)
		}
	}
	if strings.Contains(string(env), "hunter2") {
		t.Error("it has the relay's own environment")
	}
}

func TestHookThatHangs(t *testing.T) {
	path, _ := script(t, `sleep 600 & echo "waiting for sleep"; wait`)
	n := open(t, Config{Exec: path})
	h := n.couriers[0].channel.(*hook)
	h.timeout, h.grace = 300*time.Millisecond, 5*time.Minute
	start := time.Now()
	err := h.tell(t.Context(), n.message(note()))
	if err == nil || !strings.Contains(err.Error(), "did not end within 300ms") {
		t.Errorf("said %v", err)
	}
	if time.Since(start) > h.grace { // sleep held the output open
		t.Error("what it started did not end with it")
	}
}

func TestHookThatFloods(t *testing.T) {
	path, _ := script(t, `yes "a lot of output" | head -c 50000000; yes errors | head -c 1000000 >&2; exit 7`)
	n := open(t, Config{Exec: path})
	err := n.couriers[0].channel.tell(t.Context(), n.message(note()))
	if err == nil || !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "a lot of output") || len(err.Error()) > 2*maxOutput {
		t.Errorf("said %v", err)
	}
}

func TestHookThatDoesNotRead(t *testing.T) {
	path, _ := script(t, `exit 0`)
	n := open(t, Config{Exec: path})
	long := note()
	for range maxHosts {
		long.Hosts = append(long.Hosts, strings.Repeat("x", maxText))
	}
	if err := n.couriers[0].channel.tell(t.Context(), n.message(long)); err != nil {
		t.Error(err)
	}
}

func TestHookThatLeavesSomethingRunning(t *testing.T) {
	path, dir := script(t, `sleep 600 & echo $! >"$DIR/pid"`)
	n := open(t, Config{Exec: path})
	n.couriers[0].channel.(*hook).grace = 10 * time.Millisecond
	err := n.couriers[0].channel.tell(t.Context(), n.message(note()))
	pid, readErr := os.ReadFile(filepath.Join(dir, "pid"))
	if readErr != nil {
		t.Fatal(readErr)
	}
	defer killPID(t, string(pid))
	if err != nil {
		t.Errorf("exit code 0, and yet: %v", err)
	}
}

func TestHookThatFailsOnce(t *testing.T) {
	path, dir := script(t, `mkdir "$DIR/tried" 2>/dev/null && exit 1; cat >"$DIR/new"; mv "$DIR/new" "$DIR/told"; echo >"$DIR/fifo"`)
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	n := open(t, Config{Exec: path})
	n.Tell(note())
	run(t, n)
	if _, err := os.ReadFile(fifo); err != nil { // returns when the second attempt is done
		t.Fatal(err)
	}
	if told, err := os.ReadFile(filepath.Join(dir, "told")); err != nil || string(told) != string(n.message(note()).body) {
		t.Errorf("told %q, %v", told, err)
	}
	if count := n.Counts()[0]; count.Failed != 1 || count.Lost != 0 {
		t.Errorf("counted %+v", count)
	}
}
