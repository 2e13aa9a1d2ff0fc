package rotation_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"assimilation/e2e/world"
)

// TestATenantKeyIsReplacedUnderWay replaces what relays seal to while a host reports, and
// deletes the former one.
func TestATenantKeyIsReplacedUnderWay(t *testing.T) {
	s := newSite(t, "stays")
	_, before := s.Token("relay")
	s.event("stays")
	rotate := func(flags ...string) (string, error) {
		cmd := exec.Command(filepath.Join(s.Bin, "assim-saas"), append([]string{"keys", "rotate-tenant", "Example"}, flags...)...)
		cmd.Env = append(os.Environ(), s.Env()...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := rotate(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.event("stays")
	world.Eventually(t, settle, "the former key deleted", func() (bool, string) {
		out, err := rotate("--retire")
		return err == nil, out
	})
	var former int
	s.query(`SELECT count(*) FROM assim.tenants WHERE former_private IS NOT NULL`, &former)
	if former != 0 {
		t.Error("the former private key is still in the database")
	}
	s.event("stays")
	s.relay.Kill()
	s.relay.Start()
	world.Answers(t, "http://"+s.relayHTTP+"/readyz")
	s.event("stays")
	s.allAreWhoTheyWere()
	s.noGap()

	late := exec.Command(filepath.Join(s.Bin, "assim-relay"), "enrol", "--state", s.State("late"))
	late.Env = append(os.Environ(), "ASSIM_TOKEN="+before, "ASSIM_TOKEN_FILE=")
	var said strings.Builder
	late.Stderr = &said
	if err := late.Start(); err != nil {
		t.Fatal(err)
	}
	_, during := s.Token("relay") // a token of now works beside it
	s.Relay(world.Node{Name: "new", Host: "new-relay", Token: during})
	if err := late.Process.Kill(); err != nil {
		t.Error(err)
	}
	late.Wait() // killed: it tries for ever
	if text := said.String(); !strings.Contains(text, "wrong tenant") {
		t.Errorf("a relay with a token of the former key says %q", text)
	}
}
