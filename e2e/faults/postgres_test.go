package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
	"assimilation/internal/pgtest"
)

// postgres is a database server of this test's own, which it may kill.
type postgres struct {
	t   *testing.T
	dir string
}

// startPostgres starts it; its files are kept between runs, for making them
// takes half a minute.
func startPostgres(t *testing.T) *postgres {
	t.Helper()
	if os.Getenv("ASSIM_DATABASE_URL") != "" {
		t.Setenv("ASSIM_DATABASE_URL", "") // of a server that is not ours to kill
	}
	p := &postgres{t, filepath.Join(world.Root(t), ".dev", "faults", pgtest.Directory())}
	p.start()
	t.Cleanup(func() { p.script("down.sh", p.dir) })
	return p
}

func (p *postgres) script(name string, args ...string) {
	cmd := exec.Command(filepath.Join(world.Root(p.t), "ops", "postgres", name), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Errorf("%s: %v\n%s", name, err, out)
	}
}

func (p *postgres) start() { p.script("up.sh", p.dir) }

// kill ends the postmaster at once; the backends notice and end by themselves.
func (p *postgres) kill() {
	b, err := os.ReadFile(filepath.Join(p.dir, "data", "postmaster.pid"))
	if err != nil {
		p.t.Fatal(err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	pid, err := strconv.Atoi(string(line))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
}

// fresh makes an empty database and returns its administrator's URL.
func (p *postgres) fresh(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, "url"))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("faults_%d", os.Getpid())
	conn, err := pgx.Connect(context.Background(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
	u.Path = "/" + name
	return u.String()
}
