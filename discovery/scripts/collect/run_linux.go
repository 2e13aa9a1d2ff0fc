package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	kind "assimilation/discovery/scripts"
)

const (
	maxComplaint = 4 << 10 // bytes of standard error that are looked at, the last
	// drain is how long the pipes may stay open after the script's group is gone,
	// held by a process that left the group.
	drain = time.Second
)

var (
	errTooMuch = errors.New("output is too large")
	errHung    = errors.New("did not end in time and was killed")
)

// run executes a program with the least share of processor and disk, until it
// ends, prints too much, or ctx does. Whatever is left of its process group then
// is killed. Complaint is what it wrote to standard error.
func run(ctx context.Context, path string, environment []string) (output []byte, complaint string, err error) {
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return nil, "", fmt.Errorf("opening its standard input: %w", err)
	}
	defer nothing.Close()
	out, outEnd, err := os.Pipe()
	if err != nil {
		return nil, "", fmt.Errorf("opening its standard output: %w", err)
	}
	defer out.Close()
	told, toldEnd, err := os.Pipe()
	if err != nil {
		outEnd.Close()
		return nil, "", fmt.Errorf("opening its standard error: %w", err)
	}
	defer told.Close()

	ctx, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	ended := make(chan error, 1)
	go func() { ended <- execute(ctx, path, environment, []*os.File{nothing, outEnd, toldEnd}) }()
	taken := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(io.LimitReader(out, kind.MaxOutput+1)) // ended by the deadline below, if not by the script
		if len(b) > kind.MaxOutput {
			kill(errTooMuch)
		}
		taken <- b
	}()
	complaints := make(chan []byte, 1)
	go func() { complaints <- tail(told, maxComplaint) }()

	err = <-ended
	outEnd.Close()
	toldEnd.Close()
	deadline := time.Now().Add(drain)
	out.SetReadDeadline(deadline)  // pipes take deadlines on Linux
	told.SetReadDeadline(deadline) //
	output, complaint = <-taken, string(<-complaints)
	switch cause := context.Cause(ctx); {
	case len(output) > kind.MaxOutput:
		err = errTooMuch
	case errors.Is(cause, context.DeadlineExceeded):
		err = errHung
	case cause != nil:
		err = cause
	}
	return output, complaint, err
}

// tail is the last that can be read.
func tail(r io.Reader, most int) []byte {
	var last []byte
	buffer := make([]byte, most)
	for {
		n, err := r.Read(buffer)
		last = append(last, buffer[:n]...)
		last = last[max(0, len(last)-most):]
		if err != nil {
			return last
		}
	}
}

// execute starts the program as the leader of a process group, waits for it, and
// kills the group. It takes a thread for itself, which ends with it: priorities
// are the thread's, the program inherits them, and it is killed with the thread's
// process (prctl(2), PR_SET_PDEATHSIG).
func execute(ctx context.Context, path string, environment []string, files []*os.File) error {
	runtime.LockOSThread() // for good
	yieldToOthers()
	pid, err := syscall.ForkExec(path, []string{path}, &syscall.ProcAttr{
		Dir: "/", Env: environment, Files: []uintptr{files[0].Fd(), files[1].Fd(), files[2].Fd()},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return fmt.Errorf("could not be started: %w", err)
	}
	// When memory is short, it goes first; where this may not be said, it is not.
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("1000"), 0)
	gone, killed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(killed)
		select {
		case <-ctx.Done():
			syscall.Kill(-pid, syscall.SIGKILL)
		case <-gone:
		}
	}()
	awaitEnd(pid)
	close(gone)
	<-killed
	// The leader is not reaped yet, so the group's number is nobody else's.
	syscall.Kill(-pid, syscall.SIGKILL)
	var status syscall.WaitStatus
	for _, err = syscall.Wait4(pid, &status, 0, nil); errors.Is(err, syscall.EINTR); _, err = syscall.Wait4(pid, &status, 0, nil) {
	}
	switch {
	case err != nil:
		return fmt.Errorf("waiting for its end: %w", err)
	case status.Signaled():
		return fmt.Errorf("was killed by signal %d (%v)", status.Signal(), status.Signal())
	case status.ExitStatus() != 0:
		return fmt.Errorf("ended with exit status %d", status.ExitStatus())
	}
	return nil
}

// awaitEnd waits until a child has ended, and leaves it for Wait.
func awaitEnd(pid int) {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// The idle class of ioprio_set(2).
const (
	ioprioWhoProcess = 1
	ioprioClassIdle  = 3 << 13
)

// yieldToOthers gives the calling thread the lowest priority. Where that is not
// allowed, the script runs with the probe's own, which is low.
func yieldToOthers() {
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19)
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, ioprioClassIdle)
}

// lastLine is the last line that says something.
func lastLine(text string) string {
	lines := bytes.Split(bytes.TrimSpace([]byte(text)), []byte("\n"))
	return string(lines[len(lines)-1])
}
