package world

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for what takes seconds on a quiet machine. It
// is an end, not a measure: what must not take long is measured where it matters.
const Patience = 8 * time.Minute

// endWithin is how long a program may take to end in good order.
const endWithin = time.Minute

// Process is one running program of the world. Its output goes to a log file
// and is searched by tests.
type Process struct {
	Name string

	t    testing.TB
	make func() *exec.Cmd

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	log    *bytes.Buffer
	lines  *sync.Cond
}

// Start begins a program; command makes a fresh exec.Cmd for this and every
// later start. The process is ended when the test is.
func Start(t testing.TB, name string, command func() *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Name: name, t: t, make: command, log: &bytes.Buffer{}}
	p.lines = sync.NewCond(&p.mu)
	p.Start()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("--- last lines of %s\n%s", name, tail(p.Log(), 40))
		}
	})
	return p
}

// Start begins the program again after Kill or Stop.
func (p *Process) Start() {
	p.t.Helper()
	cmd := p.make()
	cmd.Stdout, cmd.Stderr = p, p
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("starting %s: %v", p.Name, err)
	}
	exited := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.exited = cmd, exited
	p.mu.Unlock()
	go func() {
		// The exit status is of no interest: tests kill what they start.
		_ = cmd.Wait()
		close(exited)
		p.mu.Lock()
		p.lines.Broadcast()
		p.mu.Unlock()
	}()
}

// Write collects the program's output.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines.Broadcast()
	return p.log.Write(b)
}

// Log is everything the program has printed, over all its starts.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// PID is the process id of the current run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// Kill ends the program at once (SIGKILL) and waits until it is gone.
func (p *Process) Kill() { p.signal(syscall.SIGKILL) }

// Stop ends the program in good order (SIGTERM), by force after endWithin.
func (p *Process) Stop() { p.signal(syscall.SIGTERM) }

// Freeze stops the program without ending it (SIGSTOP), Thaw lets it go on.
func (p *Process) Freeze() { p.send(syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (p *Process) Thaw() { p.send(syscall.SIGCONT) }

func (p *Process) send(sig syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(-p.PID(), sig); err != nil {
		p.t.Errorf("sending %v to %s: %v", sig, p.Name, err)
	}
}

func (p *Process) signal(sig syscall.Signal) {
	p.mu.Lock()
	cmd, exited := p.cmd, p.exited
	p.mu.Unlock()
	if err := syscall.Kill(-cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("sending %v to %s: %v", sig, p.Name, err)
	}
	select {
	case <-exited:
	case <-time.After(endWithin):
		if sig != syscall.SIGKILL {
			p.t.Errorf("%s did not end within %v of %v", p.Name, endWithin, sig)
			p.signal(syscall.SIGKILL)
		}
	}
}

// Says waits until the program has printed text (over all its starts).
func (p *Process) Says(text string, within time.Duration) {
	p.t.Helper()
	expired := false
	timer := time.AfterFunc(within, func() {
		p.mu.Lock()
		expired = true
		p.lines.Broadcast()
		p.mu.Unlock()
	})
	defer timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !strings.Contains(p.log.String(), text) {
		if expired {
			p.t.Fatalf("%s did not print %q within %v; it printed\n%s", p.Name, text, within, tail(p.log.String(), 40))
		}
		p.lines.Wait()
	}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Run runs a program to its end and returns what it printed on standard output.
func Run(t testing.TB, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// Eventually asks condition again and again until it holds; a real system of
// several processes gives no other sign. It reports how long that took.
func Eventually(t testing.TB, within time.Duration, what string, condition func() (bool, string)) time.Duration {
	t.Helper()
	start := time.Now()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		ok, state := condition()
		if ok {
			return time.Since(start)
		}
		if time.Since(start) > within {
			t.Fatalf("%s: not within %v: %s", what, within, state)
		}
		<-ticker.C
	}
}

// placed makes a command that runs in the node's network namespace, under its host
// name and with its configuration. Each step replaces the one before (exec), so signals reach the
// program itself.
func placed(n Node, program string, args ...string) *exec.Cmd {
	line := append([]string{program}, args...)
	if n.Etc != "" {
		line = append([]string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/assim && exec "$@"`, n.Etc}, line...)
	}
	if n.Host != "" {
		line = append([]string{"unshare", "--uts", "sh", "-c", `hostname "$0" && exec "$@"`, n.Host}, line...)
	}
	if n.Netns != "" {
		line = append([]string{"ip", "netns", "exec", n.Netns}, line...)
	}
	return exec.Command(line[0], line[1:]...)
}
