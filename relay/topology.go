package relay

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"assimilation/discovery/residency"
	"assimilation/relay/internal/status"
	"assimilation/relay/internal/store"
	"assimilation/relay/internal/topology"
	service "assimilation/relay/internal/uplink"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// view is what a picture of the site is drawn from, once probes are served.
type view struct {
	places *topology.Map
	rings  func() []uplink.TopologyRing
}

// Topology is how the site is wired, for the status pages and for people who ask
// the service.
func (r *Relay) Topology() (uplink.Topology, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	id, _, err := r.store.Identity(ctx)
	if err != nil {
		return uplink.Topology{}, err
	}
	hosts, err := r.store.OwnHosts(ctx)
	if err != nil {
		return uplink.Topology{}, err
	}
	r.mu.Lock()
	v := r.view
	r.mu.Unlock()
	scene := topology.Scene{Relay: r.config.Name, At: time.Now(), Hosts: hosts, Opaque: func(domain string) [16]byte {
		return topology.Opaque(id.DomainSecret(), domain)
	}}
	if v.places == nil { // not serving yet
		return topology.New(func(topology.Place) {}).View(scene), nil
	}
	scene.Rings = v.rings()
	return v.places.View(scene), nil
}

// answer is for people who ask the service.
func (r *Relay) answer(_ context.Context, kind string) ([]byte, error) {
	if kind != "topology" {
		return nil, service.ErrNoSuchQuestion
	}
	t, err := r.Topology()
	if err != nil {
		return nil, err
	}
	return json.Marshal(t)
}

// why says in words why facts of an extent stay.
var why = map[residency.Extent]string{
	residency.Unknown: "this relay does not know the kind",
	residency.Newer:   "this relay knows an older schema only",
	residency.Nothing: "it says where hosts stand",
	residency.Part:    "the fields that say where hosts stand are left out",
}

// Preview is what leaves the site, for the status pages.
func (r *Relay) Preview(c status.Choice) (status.Preview, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	choice := store.Choice{Kind: c.Kind, Limit: c.Limit}
	shown := status.Preview{Records: []status.Leaving{}, Held: []status.Held{}, Waiting: r.store.Head().Backlog(), Residency: r.store.Head().Residency}
	if c.Host != "" {
		var found bool
		var err error
		if choice.Host, found, err = r.hostNamed(ctx, c.Host); err != nil || !found {
			return shown, err
		}
	}
	p, err := r.store.Preview(ctx, choice)
	if err != nil {
		return shown, err
	}
	shown.More, shown.Labels = p.More, p.Labels
	for _, record := range p.Records {
		shown.Records = append(shown.Records, leaving(record))
	}
	for _, h := range p.Held {
		shown.Held = append(shown.Held, status.Held{Kind: h.Kind, Schema: h.Schema, Facts: h.Facts, Hosts: h.Hosts, Why: why[h.Extent]})
	}
	return shown, nil
}

// hostNamed finds a host by id or name.
func (r *Relay) hostNamed(ctx context.Context, name string) (tenancy.HostID, bool, error) {
	if id, err := tenancy.ParseID[tenancy.HostID](name); err == nil {
		return id, true, nil
	}
	hosts, err := r.store.Hosts(ctx)
	if err != nil {
		return tenancy.HostID{}, false, err
	}
	for _, h := range hosts {
		if h.Name == name {
			return h.ID, true, nil
		}
	}
	return tenancy.HostID{}, false, nil
}

func leaving(c uplink.Change) status.Leaving {
	l := status.Leaving{
		Host: c.Host, Kind: c.Kind, Instance: c.Instance, Schema: c.Schema, Hash: hex.EncodeToString(c.Hash), Body: string(c.Body),
	}
	switch c.Type {
	case uplink.FactPut:
		l.Type = "fact put"
	case uplink.FactGone:
		l.Type = "fact gone"
	case uplink.HostState:
		l.Type = "host state"
		s := c.HostState
		l.State = &status.HostState{
			State: s.State, Name: s.Name, Agent: s.AgentVersion, OS: s.OS, Arch: s.Arch, Labels: s.Labels,
			MachineID: hex.EncodeToString(s.MachineID), ProbeKey: hex.EncodeToString(s.ProbeKey),
		}
	}
	return l
}
