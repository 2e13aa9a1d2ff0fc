package load_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"assimilation/e2e/world"
	"assimilation/loadtest"
	"assimilation/tenancy"
)

// Powering a site on changes its rings with every probe that comes; nobody dies
// of that.
func TestPowerOnWithHeartbeats(t *testing.T) {
	w := world.New(t, world.Options{})
	address := world.FreeTCP(t)
	_, udp := w.Relay(world.Node{Name: "beating", HTTP: address})
	_, text := w.Token("probe")
	token, err := tenancy.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	c := loadtest.Config{
		Relay: netip.MustParseAddrPort(udp), HTTP: address, Token: token, Probes: *probes, Sockets: 8, Seed: 1, Within: *within, Out: printed{t},
		Beats: true, Stay: 20 * time.Second,
	}
	result, err := loadtest.Run(context.Background(), c)
	standing := verdicts(t, address) // the probes are gone, but that takes seconds to notice
	result.Print(printed{t}, c)
	if err != nil {
		t.Fatal(err)
	}
	if standing != "" {
		t.Errorf("verdicts while all probes lived: %s", standing)
	}
	if least := int64(c.Stay/time.Second) * int64(*probes); result.Beats < least {
		t.Errorf("%d heartbeats, want %d at least", result.Beats, least)
	}
}

// verdicts names what the relay has concluded.
func verdicts(t *testing.T, relay string) (names string) {
	answer, err := http.Get("http://" + relay + "/verdicts")
	if err != nil {
		t.Error(err)
		return ""
	}
	defer answer.Body.Close()
	var all []struct {
		Kind     string
		Hosts    []struct{ Name string }
		Evidence []struct{ What, By, About string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		t.Error(err)
	}
	for _, v := range all {
		names += fmt.Sprintf("\n%s of %d hosts: %v", v.Kind, len(v.Hosts), v.Evidence)
	}
	return names
}
