package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"assimilation/discovery/residency"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Preview is what would leave the site if everything were told now, and what
// would not.
type Preview struct {
	Residency uplink.Residency
	Records   []uplink.Change // states of hosts, then facts; without the numbers that they get when told
	More      bool            // there are more than were asked for
	Held      []Held
	Labels    map[string]int // names of labels that are held back, and of how many hosts
}

// Held is what stays of a kind.
type Held struct {
	Kind         string
	Schema       int
	Extent       residency.Extent
	Facts, Hosts int
}

// Choice chooses what a preview shows; the zero host and "" are all.
type Choice struct {
	Host  tenancy.HostID
	Kind  string
	Limit int // of records
}

// Preview shows what leaves of the facts and hosts that are held, by the gate
// that they pass when they are told.
func (s *Store) Preview(ctx context.Context, c Choice) (Preview, error) {
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return Preview{}, err
	}
	hosts = slices.DeleteFunc(hosts, func(h Host) bool { return !h.ServedBy.IsZero() || !c.Host.IsZero() && h.ID != c.Host })
	given := make(map[tenancy.HostID]map[string]string, len(hosts))
	for _, h := range hosts {
		given[h.ID] = h.TokenLabels
	}
	g := gate{rules: s.rules, policy: s.Head().Residency, given: func(id tenancy.HostID) (map[string]string, error) { return given[id], nil }}
	p := Preview{Residency: g.policy, Labels: map[string]int{}}
	if c.Kind == "" {
		if err := p.addHosts(g, hosts, c.Limit); err != nil {
			return Preview{}, err
		}
	}
	if err := s.previewFacts(ctx, g, c, given, &p); err != nil {
		return Preview{}, fmt.Errorf("reading what would leave: %w", err)
	}
	if p.Held, err = s.held(ctx, g, c); err != nil {
		return Preview{}, fmt.Errorf("counting what stays: %w", err)
	}
	return p, nil
}

// add takes a record in, if there is room.
func (p *Preview) add(g gate, c uplink.Change, limit int) (uplink.Change, error) {
	left, leaves, err := g.leaves(c)
	switch {
	case err != nil || !leaves:
	case len(p.Records) >= limit:
		p.More = true
	default:
		p.Records = append(p.Records, left)
	}
	return left, err
}

func (p *Preview) addHosts(g gate, hosts []Host, limit int) error {
	for _, h := range hosts {
		all := h.AllLabels()
		left, err := p.add(g, h.record(h.StateAt, false), limit)
		if err != nil {
			return err
		}
		for name := range maps.Keys(all) {
			if _, leaves := left.HostState.Labels[name]; !leaves {
				p.Labels[name]++
			}
		}
	}
	return nil
}

const chosen = "(?1 IS NULL OR f.host = ?1) AND (?2 = '' OR f.kind = ?2) AND f.hash IS NOT NULL"

func (c Choice) args() []any {
	if c.Host.IsZero() {
		return []any{nil, c.Kind}
	}
	return []any{c.Host.UUID[:], c.Kind}
}

func (s *Store) previewFacts(ctx context.Context, g gate, c Choice, hosts map[tenancy.HostID]map[string]string, p *Preview) error {
	rows, err := s.readers.QueryContext(ctx, `SELECT f.host, f.kind, f.instance, f.hash, f.schema, f.observed, f.changed, b.body
		FROM facts f JOIN bodies b ON b.hash = f.hash WHERE `+chosen+" ORDER BY f.host, f.kind, f.instance", c.args()...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() && !p.More {
		change := uplink.Change{Type: uplink.FactPut}
		var packed []byte
		err := rows.Scan(&change.Host, &change.Kind, &change.Instance, &change.Hash, &change.Schema, &change.ObservedAt, &change.SeenAt, &packed)
		if err != nil {
			return err
		}
		if _, here := hosts[change.Host]; !here {
			continue
		}
		if change.Body, err = s.opener.DecodeAll(packed, nil); err != nil {
			return fmt.Errorf("the body %s: %w", hex.EncodeToString(change.Hash), err)
		}
		if _, err := p.add(g, change, c.Limit); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *Store) held(ctx context.Context, g gate, c Choice) (held []Held, err error) {
	if g.rules == nil || g.policy == uplink.Replicate {
		return nil, nil
	}
	rows, err := s.readers.QueryContext(ctx, `SELECT f.kind, f.schema, count(*), count(DISTINCT f.host) FROM facts f
		WHERE `+chosen+" GROUP BY f.kind, f.schema ORDER BY f.kind, f.schema", c.args()...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var h Held
		if err := rows.Scan(&h.Kind, &h.Schema, &h.Facts, &h.Hosts); err != nil {
			return nil, err
		}
		if h.Extent = g.rules.Extent(h.Kind, h.Schema); h.Extent != residency.Whole {
			held = append(held, h)
		}
	}
	return held, rows.Err()
}
