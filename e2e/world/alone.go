package world

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"assimilation/internal/pgtest"
)

// aloneMark is in the environment of a test program that runs alone: the directory
// of what is its own.
const aloneMark = "ASSIM_TEST_ALONE"

//go:embed alone.sh
var aloneScript string

// Alone starts the test program again as if on a machine of its own, and ends as
// that one does. What is compared with this machine's own tools would otherwise be
// told of whatever runs beside: other tests' listeners, links and packages come and
// go between two questions. In there are only processes of this test, one link that
// leads nowhere, a package database that is a copy, and programs that nobody builds
// anew while they run. Other files are this machine's.
//
// TestMain calls it, behind PeerMain. It needs root; without, it does nothing.
func Alone() {
	if os.Getuid() != 0 || os.Getenv(aloneMark) != "" {
		return
	}
	err := runAlone()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(max(exit.ExitCode(), 1))
	case err != nil:
		fmt.Fprintln(os.Stderr, "running the tests alone:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runAlone() error {
	// In there nothing can be fetched, so that all is built here.
	for _, build := range []func() (string, error){buildPrograms, buildCheckTruth} {
		if _, err := build(); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "assim-alone")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := ownPrograms(dir); err != nil {
		return err
	}
	database, err := databaseThrough(dir)
	if err != nil {
		return err
	}
	// The first process must end with this one, whose thread is what counts
	// (PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("unshare", append([]string{"--net", "--mount", "--pid", "--fork", "--kill-child",
		"sh", "-c", aloneScript, "alone", dir, os.Args[0]}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), aloneMark+"="+dir, "ASSIM_DATABASE_URL="+database)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}

// ownPrograms gives dir the programs, under names of their own where it is on the
// same disk.
func ownPrograms(dir string) error {
	root, err := root()
	if err != nil {
		return err
	}
	from, to := filepath.Join(root, "bin"), filepath.Join(dir, "bin")
	if exec.Command("cp", "-r", "--link", from, to).Run() == nil {
		return nil
	}
	if out, err := exec.Command("cp", "-r", from+"/.", to).CombinedOutput(); err != nil {
		return fmt.Errorf("copying programs: %w: %s", err, out)
	}
	return nil
}

// databaseThrough makes the server of tests reachable from another network, by a
// socket in dir, and returns its URL there.
func databaseThrough(dir string) (string, error) {
	server, err := pgtest.Server()
	if err != nil {
		return "", err
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	if u.Host == "" {
		return server, nil // it has a socket
	}
	port := u.Port()
	if port == "" {
		port = "5432"
	}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL."+port))
	if err != nil {
		return "", err
	}
	go forward(l, net.JoinHostPort(u.Hostname(), port))
	query := u.Query()
	query.Set("host", dir)
	query.Set("port", port)
	u.Host, u.RawQuery = "", query.Encode()
	return u.String(), nil
}

// forward joins each connection to a new one to address, as long as this program
// runs.
func forward(l net.Listener, address string) {
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer near.Close()
			far, err := net.Dial("tcp", address)
			if err != nil {
				return // who connected sees the end
			}
			defer far.Close()
			go func() {
				_, _ = io.Copy(far, near) // ends with either
				far.Close()
			}()
			_, _ = io.Copy(near, far)
		}()
	}
}
