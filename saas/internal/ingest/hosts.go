package ingest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// host is a row of assim.hosts.
type host struct {
	ID           tenancy.HostID
	Site         tenancy.SiteID
	Relay        tenancy.RelayID
	Name         string // by which people know it
	OwnName      string // what it calls itself, where a person named it otherwise; ""
	ProbeKey     []byte
	State        string
	StateAt      time.Time
	AgentVersion string
	OS, Arch     string
	Labels       map[string]string
	Token        string
	EnrolledAt   time.Time
	ChangedAt    time.Time
	Retired      bool
	Term         uint64 // of its relay
	SiteKeys     uint64 // sequence of what its probe has stored of the site's keys

	realm    string // of its site
	served   bool   // its relay is not revoked
	changed  bool
	elements cmdb.Elements // in the graph before the batch
}

const selectHosts = `
	SELECT h.id, h.site, h.relay, h.name, h.own_name, h.probe_key, h.state, h.state_at, h.agent_version, h.os, h.arch, h.labels, h.token,
		h.enrolled_at, h.changed_at, h.retired_at IS NOT NULL, h.term, h.key_sequence, s.realm,
		EXISTS (SELECT FROM assim.relays r WHERE r.tenant = h.tenant AND r.id = h.relay AND r.revoked_at IS NULL)
	FROM assim.hosts h JOIN assim.sites s ON s.tenant = h.tenant AND s.id = h.site`

func scanHost(row pgx.CollectableRow) (*host, error) {
	h := &host{}
	err := row.Scan(&h.ID, &h.Site, &h.Relay, &h.Name, &h.OwnName, &h.ProbeKey, &h.State, &h.StateAt, &h.AgentVersion, &h.OS, &h.Arch, &h.Labels, &h.Token,
		&h.EnrolledAt, &h.ChangedAt, &h.Retired, &h.Term, &h.SiteKeys, &h.realm, &h.served)
	if err == nil && !h.Retired {
		h.elements = h.project()
	}
	return h, err
}

func (b *batch) loadHosts(ctx context.Context, wanted map[tenancy.HostID]bool) error {
	b.hosts = make(map[tenancy.HostID]*host, len(wanted))
	if len(wanted) == 0 {
		return nil
	}
	rows, err := b.tx.Query(ctx, selectHosts+` WHERE h.id = ANY($1)`, slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return fmt.Errorf("reading hosts: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanHost)
	if err != nil {
		return fmt.Errorf("reading hosts: %w", err)
	}
	for _, h := range found {
		b.hosts[h.ID] = h
	}
	return nil
}

// ref is what projectors know of the host.
func (h *host) ref() discovery.HostRef {
	id := h.ID.String()
	return discovery.HostRef{ID: id, HostRealm: cmdb.HostRealm(id), SiteRealm: cmdb.SiteRealm(h.realm)}
}

// project makes the vertex that all facts of the host hang on. It is made of
// what the relay says about the host, not of a fact.
func (h *host) project() cmdb.Elements {
	var e cmdb.Elements
	props := map[string]any{"name": h.Name, "state": h.State, "site": h.Site.String()}
	for name, value := range map[string]string{"agent_version": h.AgentVersion, "os": h.OS, "arch": h.Arch} {
		if value != "" {
			props[name] = value
		}
	}
	if len(h.Labels) > 0 {
		labels := make([]string, 0, len(h.Labels))
		for _, name := range slices.Sorted(maps.Keys(h.Labels)) {
			labels = append(labels, name+"="+h.Labels[name])
		}
		props["labels"] = labels
	}
	e.AddVertex(cmdb.Host, h.ID.String(), props)
	return e
}

// hostState takes in what the relay says of a host. The first word of a host
// must say who it is.
func (b *batch) hostState(c uplink.Change) {
	s := c.HostState
	h := b.hosts[c.Host]
	seen := wallClock(c.SeenAt)
	switch {
	case h == nil && (s.Name == "" || s.ProbeKey == nil):
		b.refuse(c, wire.NotEnrolled, "state of a host that was never introduced")
		return
	case h != nil && h.Site != b.from.Site:
		b.refuse(c, wire.WrongSite, "the host belongs to another site")
		return
	case h != nil && h.Retired:
		b.refuse(c, wire.Revoked, "the host is retired")
		return
	case h != nil && h.late(b.from.Relay, c):
		return
	}
	isNew, was := h == nil, ""
	if isNew && !b.room(c) {
		return
	}
	if isNew {
		h = &host{ID: c.Host, Site: b.from.Site, EnrolledAt: seen, ChangedAt: seen, Token: c.Token, realm: b.realm}
		b.hosts[c.Host] = h
	} else {
		was = h.State
	}
	h.changed = true
	h.Relay, h.served, h.State, h.StateAt, h.Term = b.from.Relay, true, string(s.State), seen, max(h.Term, c.Term)
	if s.ProbeKey != nil {
		h.ProbeKey = s.ProbeKey
	}
	name := &h.Name
	if h.OwnName != "" {
		name = &h.OwnName
	}
	for _, field := range []struct {
		to    *string
		value string
	}{{name, s.Name}, {&h.AgentVersion, s.AgentVersion}, {&h.OS, s.OS}, {&h.Arch, s.Arch}} {
		if field.value != "" {
			*field.to = field.value
		}
	}
	if s.Labels != nil {
		h.Labels = s.Labels
	}
	if s.Name != "" { // a record of the whole host
		h.SiteKeys = s.SiteKeys
	}
	detail := map[string]any{"name": h.Name, "agent_version": h.AgentVersion, "cause": s.Cause}
	switch {
	case isNew:
		b.event(event{kind: "host.enrolled", seenAt: seen, host: h.ID, detail: detail})
	case was != h.State:
		b.event(event{kind: "host." + strings.ReplaceAll(h.State, " ", "-"), seenAt: seen, host: h.ID, detail: detail})
	}
}

// late reports whether the host has moved from the relay to another since it said
// so: terms tell, or, of a relay that names none, that the other one hears it.
func (h *host) late(from tenancy.RelayID, c uplink.Change) bool {
	switch {
	case h.Relay == from:
		return false
	case c.Term != 0 && h.Term != 0:
		return c.Term < h.Term
	}
	return h.served && c.HostState.State != uplink.Up && h.State == string(uplink.Up)
}

func (b *batch) saveHosts(queue *pgx.Batch) {
	for _, h := range b.hosts {
		if !h.changed {
			continue
		}
		labels := h.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		queue.Queue(`
			INSERT INTO assim.hosts (id, tenant, site, relay, name, probe_key, state, state_at, agent_version, os, arch, labels, token, enrolled_at, changed_at, term, own_name, key_sequence)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
			ON CONFLICT (tenant, id) DO UPDATE SET relay = $4, name = $5, probe_key = $6, state = $7, state_at = $8, agent_version = $9,
				os = $10, arch = $11, labels = $12, changed_at = $15, term = $16, own_name = $17, key_sequence = $18`,
			h.ID, b.from.Tenant, h.Site, h.Relay, h.Name, h.ProbeKey, h.State, h.StateAt, h.AgentVersion, h.OS, h.Arch, labels, h.Token,
			h.EnrolledAt, h.ChangedAt, int64(h.Term), h.OwnName, int64(h.SiteKeys))
	}
}
