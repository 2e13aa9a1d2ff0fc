package netns_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"assimilation/e2e/world"
)

// place is where the topology says that a host is plugged in.
type place struct{ Switch, Port, Zone string }

// wiring asks the service, which asks the relay.
func (s *site) wiring() (map[string]place, error) {
	var topology struct {
		Switches []struct {
			Name, Zone string
			Ports      []struct{ Port, Host string }
		}
		Hosts []struct{ Host, Name string }
	}
	out, err := s.world.Try("topology", s.world.Site, "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &topology)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	byID := map[string]string{}
	for _, h := range topology.Hosts {
		byID[h.Host] = h.Name
	}
	places := map[string]place{}
	for _, sw := range topology.Switches {
		for _, p := range sw.Ports {
			places[byID[p.Host]] = place{sw.Name, p.Port, sw.Zone}
		}
	}
	return places, nil
}

// wired says whether the service sees every host where its cable is.
func (s *site) wired() (bool, string) {
	places, err := s.wiring()
	if err != nil {
		return false, err.Error()
	}
	for _, h := range s.Hosts() {
		if p := places[h.Name]; p.Switch != h.Switch.Name || p.Port != h.Port {
			return false, fmt.Sprintf("%s is at %v, not at %s %s; %v", h.Name, p, h.Switch.Name, h.Port, places)
		}
	}
	return true, fmt.Sprint(places)
}

// A cable that moves to another switch moves the host in the topology and in the
// rings, and nobody is called dead for longer than the plugging took.
func TestCableMoves(t *testing.T) {
	s := newSite(t)
	world.Eventually(t, time.Minute, "the wiring", s.wired)
	for i := range *others {
		h := s.Switches[i%3].Hosts[1+i/3]
		from := h.Switch.Name
		begun := time.Now()
		h.Move(s.Switches[(h.Switch.Number)%3], fmt.Sprintf("1/%d", i), words)
		took := world.Eventually(t, time.Minute, "the topology and the rings follow the cable", func() (bool, string) {
			if ok, why := s.wired(); !ok {
				return false, why
			}
			return s.atRest()
		})
		t.Logf("%s moved from %s to %s: topology and rings followed after %.1f s", h.Name, from, h.Switch.Name, took.Seconds())
		for _, v := range s.verdicts(begun) {
			t.Logf("meanwhile: %v", v)
			if v.Over.IsZero() {
				t.Errorf("still open: %v", v)
			}
		}
	}
}
