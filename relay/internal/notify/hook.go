package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hook runs a program: the notification is on its standard input as JSON, and in
// its environment. Exit code 0 means told.
type hook struct {
	path    string
	timeout time.Duration
	grace   time.Duration // for what it started and left behind, with its output open
}

// Bounds of a hook's run.
const (
	hookTimeout = 30 * time.Second
	hookGrace   = time.Second
	maxOutput   = 1024 // bytes of its output that are kept, for the log
	maxEnvHosts = 64   // names in ASSIM_HOSTS: the environment is bounded by the kernel
)

func openHook(config Config) (channel, error) {
	if !filepath.IsAbs(config.Exec) {
		return nil, fmt.Errorf("%q is not an absolute path", config.Exec)
	}
	info, err := os.Stat(config.Exec)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return nil, fmt.Errorf("%s is not a program", config.Exec)
	case info.Mode()&0o002 != 0:
		return nil, fmt.Errorf("%s may be written by everybody: it would run with the relay's rights", config.Exec)
	}
	return &hook{path: config.Exec, timeout: hookTimeout, grace: hookGrace}, nil
}

func (h *hook) tell(ctx context.Context, m *message) error {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.path)
	cmd.Env = environment(m)
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(m.body)
	var output head
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it started ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = h.grace
	err := cmd.Run()
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay): // it exited with 0, and left something running
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not end within %v%s", h.path, h.timeout, output.said())
	}
	return fmt.Errorf("%s: %w%s", h.path, err, output.said())
}

// environment is all that a hook has; none of it is the relay's own but the
// search path.
func environment(m *message) []string {
	n := m.note
	hosts := n.Hosts[:min(len(n.Hosts), maxEnvHosts)]
	env := []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	for _, v := range [][2]string{
		{"KEY", m.key}, {"ID", n.ID}, {"EVENT", string(n.Event)}, {"KIND", n.Kind}, {"SUMMARY", n.Summary},
		{"HOSTS", strings.Join(hosts, " ")}, {"COUNT", strconv.Itoa(n.Count)}, {"DOMAIN", n.Domain}, {"ZONE", n.Zone},
		{"SINCE", stamp(n.Since)}, {"AT", stamp(n.At)}, {"OVER", stamp(n.Over)}, {"CONFIDENCE", strconv.Itoa(n.Confidence)}, {"RELAY", m.relay},
	} {
		env = append(env, "ASSIM_"+v[0]+"="+v[1])
	}
	return env
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// head keeps the beginning of what is written to it, and takes all.
type head struct{ text []byte }

func (h *head) Write(b []byte) (int, error) {
	h.text = append(h.text, b[:min(len(b), maxOutput-len(h.text))]...)
	return len(b), nil
}

func (h *head) said() string {
	if len(h.text) == 0 {
		return ""
	}
	return fmt.Sprintf("; it said %q", strings.TrimSpace(string(h.text)))
}
