// Package world builds the real programs and runs them as one small world: a
// database, the service, a tenant with a site, a relay, probes; each in a
// network namespace of its own where a test wants that. Nothing in it is a
// stand-in.
package world

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/tenancy/store/storetest"
)

// World is one running installation with one tenant.
type World struct {
	Dir      string // state of all programs
	Bin      string // where the programs lie
	URL      string // of the service
	Database string // administrator's URL
	Site     string
	SaaS     *Process

	t      testing.TB
	config string // of the command line
}

// Options of New.
type Options struct {
	// Database is the administrator's URL of an empty database; "" takes one of
	// the development server's.
	Database string
	// Listen is the service's address; "" is a free port of loopback.
	Listen string
	// Through is the URL by which relays reach the service, if not directly.
	Through string
	// Env is more of the service's environment.
	Env []string
	// Empty leaves it to the test to sign somebody up.
	Empty bool
}

// New starts the service and, unless it shall be empty, signs a tenant up, with
// the site "site".
func New(t testing.TB, o Options) *World {
	t.Helper()
	w := &World{Dir: t.TempDir(), Bin: Build(t), Database: o.Database, Site: "site", t: t}
	w.config = filepath.Join(w.Dir, "assim.yaml")
	if w.Database == "" {
		w.Database = storetest.URL(t)
	}
	if o.Listen == "" {
		o.Listen = FreeTCP(t)
	}
	w.URL = "http://" + o.Listen
	public := w.URL
	if o.Through != "" {
		public = o.Through
	}
	env := []string{
		"ASSIM_DATABASE_URL=" + w.Database, "ASSIM_LISTEN=" + o.Listen, "ASSIM_URL=" + public,
		"ASSIM_MASTER_KEY_FILE=" + filepath.Join(w.Dir, "master.key"),
	}
	saas := filepath.Join(w.Bin, "assim-saas")
	Run(t, env, saas, "migrate")
	w.SaaS = Start(t, "assim-saas", func() *exec.Cmd {
		cmd := exec.Command(saas, "serve")
		cmd.Env = slices.Concat(os.Environ(), env, o.Env)
		return cmd
	})
	Answers(t, w.URL+"/readyz")
	if o.Empty {
		return w
	}
	password := filepath.Join(w.Dir, "password")
	if err := os.WriteFile(password, []byte("a password of a test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Assim("signup", "--url", w.URL, "--email", "owner@example.org", "--tenant", "Example", "--password-file", password)
	w.Assim("site", "create", w.Site)
	return w
}

// Env is the environment in which the service runs; Rebuild and other
// administration of the same database take it.
func (w *World) Env() []string {
	return []string{"ASSIM_DATABASE_URL=" + w.Database, "ASSIM_MASTER_KEY_FILE=" + filepath.Join(w.Dir, "master.key")}
}

// Config is the environment variable by which the tenant's command line finds
// this world.
func (w *World) Config() string { return "ASSIM_CONFIG=" + w.config }

// Assim runs the tenant's command line and returns what it printed.
func (w *World) Assim(args ...string) string {
	w.t.Helper()
	return Run(w.t, []string{w.Config()}, filepath.Join(w.Bin, "assim"), args...)
}

// Try is Assim for a command that may yet fail.
func (w *World) Try(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(w.Bin, "assim"), args...)
	cmd.Env = append(os.Environ(), w.Config())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Rows runs a command of the tenant's command line that prints a list.
func (w *World) Rows(args ...string) []map[string]any {
	w.t.Helper()
	var rows []map[string]any
	out := w.Assim(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		w.t.Fatalf("assim %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return rows
}

// Token mints a token for "relay" or "probe" and returns its id and text.
func (w *World) Token(kind string, flags ...string) (id, text string) {
	w.t.Helper()
	var token struct{ ID, Token string }
	out := w.Assim(append([]string{"token", "create", "--site", w.Site, "--kind", kind, "-o", "json"}, flags...)...)
	if err := json.Unmarshal([]byte(out), &token); err != nil {
		w.t.Fatalf("minting a token: %v\n%s", err, out)
	}
	return token.ID, token.Token
}

// Node is where a program runs and what it is given.
type Node struct {
	Name   string   // of the process and its state folder
	Netns  string   // network namespace; "" is ours
	Host   string   // host name; "" is ours
	Listen string   // UDP address; "" a free port of loopback
	HTTP   string   // relay: local HTTP; "" a free port of loopback
	Relay  string   // probe: address of its relay
	Token  string   // text; "" mints one
	Env    []string // more of the environment
	Etc    string   // probe: a folder that it finds as /etc/assim; "" ours
}

// Relay starts a relay and waits until it serves; it returns its UDP address.
func (w *World) Relay(n Node) (*Process, string) {
	w.t.Helper()
	if n.Listen == "" {
		n.Listen = FreeUDP(w.t)
	}
	if n.HTTP == "" {
		n.HTTP = FreeTCP(w.t)
	}
	if n.Token == "" {
		_, n.Token = w.Token("relay")
	}
	if n.Netns == "" { // other worlds of this machine have relays, too
		n.Env = append([]string{"ASSIM_CLUSTER=" + FreeTCP(w.t), "ASSIM_INSTALL=" + FreeTCP(w.t)}, n.Env...)
	}
	p := w.start("assim-relay", n, "run", "--listen", n.Listen, "--http", n.HTTP)
	if n.Netns == "" {
		Answers(w.t, "http://"+n.HTTP+"/readyz")
	}
	return p, n.Listen
}

// Probe starts a probe.
func (w *World) Probe(n Node) *Process {
	w.t.Helper()
	if n.Token == "" {
		_, n.Token = w.Token("probe")
	}
	n.Env = append(n.Env, "ASSIM_RELAY="+n.Relay)
	args := []string{"run"}
	if n.Listen != "" {
		args = append(args, "--listen", n.Listen)
	}
	return w.start("assim-probe", n, args...)
}

// State is the state folder of a node.
func (w *World) State(name string) string { return filepath.Join(w.Dir, name) }

func (w *World) start(program string, n Node, args ...string) *Process {
	w.t.Helper()
	token := filepath.Join(w.Dir, n.Name+".token")
	if err := os.WriteFile(token, []byte(n.Token+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	args = append(args, "--state", w.State(n.Name))
	return Start(w.t, n.Name, func() *exec.Cmd {
		cmd := placed(n, filepath.Join(w.Bin, program), args...)
		cmd.Env = append(append(os.Environ(), "ASSIM_TOKEN_FILE="+token), n.Env...)
		return cmd
	})
}

// HostUp waits until a host of this name is up and returns its row.
func (w *World) HostUp(name string, within time.Duration) map[string]any {
	w.t.Helper()
	var found map[string]any
	Eventually(w.t, within, "host "+name+" up", func() (bool, string) {
		hosts := w.Rows("host", "list")
		for _, h := range hosts {
			if h["name"] == name && h["state"] == "up" {
				found = h
				return true, ""
			}
		}
		return false, fmt.Sprint(hosts)
	})
	return found
}

// Build builds the programs once per test process and returns their folder.
func Build(t testing.TB) string {
	t.Helper()
	dir, err := buildPrograms()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Root is the project's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// FreeTCP and FreeUDP find an address of loopback that nobody listens on.
func FreeTCP(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// FreeUDP is FreeTCP for UDP.
func FreeUDP(t testing.TB) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}
