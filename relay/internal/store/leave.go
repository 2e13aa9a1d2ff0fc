package store

import (
	"encoding/json"
	"fmt"
	"maps"

	"assimilation/discovery"
	"assimilation/discovery/residency"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// gate is what a record passes on its way into the outbox, and what a preview
// shows. The store keeps what it holds back.
type gate struct {
	rules  *residency.Rules // nil: everything leaves
	policy uplink.Residency
	// given are the labels that a host has of its token: the service knows them.
	given func(tenancy.HostID) (map[string]string, error)
}

// leaves is the record as it may leave the site; false: it may not.
func (g gate) leaves(c uplink.Change) (uplink.Change, bool, error) {
	if g.rules == nil || g.policy == uplink.Replicate {
		return c, true, nil
	}
	switch c.Type {
	case uplink.FactPut:
		return g.put(c)
	case uplink.FactGone:
		extent := g.rules.Extent(c.Kind, int(c.Schema))
		return c, extent >= residency.Part || extent == residency.Newer, nil
	case uplink.FactList:
		if extent := g.rules.Extent(c.Kind, 0); extent < residency.Part {
			c.Instances = nil // the service is to have none
		}
	case uplink.Refusal:
		return g.refusal(c), true, nil
	case uplink.HostState:
		return g.labels(c)
	}
	return c, true, nil
}

func (g gate) put(c uplink.Change) (uplink.Change, bool, error) {
	switch g.rules.Extent(c.Kind, int(c.Schema)) {
	case residency.Whole:
		return c, true, nil
	case residency.Part:
		body, err := g.rules.Redact(c.Kind, c.Body)
		if err != nil {
			return c, false, err
		}
		hash := discovery.HashBody(c.Kind, int(c.Schema), body)
		c.Body, c.Hash = body, hash[:]
		return c, true, nil
	case residency.Newer:
		// What the service holds of an older schema is no longer true.
		c.Type, c.Body, c.Hash = uplink.FactGone, nil, nil
		return c, true, nil
	}
	return c, false, nil
}

// refusal takes from a refusal what a probe or this relay said in its own words
// about a fact that does not leave. A missing right names the right only.
func (g gate) refusal(c uplink.Change) uplink.Change {
	if c.Refusal.Subject != "fact" {
		return c
	}
	extent := g.rules.Extent(c.Kind, 0)
	if extent >= residency.Part {
		return c
	}
	body := *c.Refusal
	if body.Reason != wire.MissingRight && body.Reason != wire.Unsupported {
		body.Detail = ""
	}
	c.Refusal = &body
	if extent == residency.Unknown {
		c.Instance = ""
	}
	return c
}

// labels takes from a host's state the labels by which the probe says where it
// stands.
func (g gate) labels(c uplink.Change) (uplink.Change, bool, error) {
	place := false
	for name := range c.HostState.Labels {
		place = place || residency.PlaceLabel(name)
	}
	if !place {
		return c, true, nil
	}
	given, err := g.given(c.Host)
	if err != nil {
		return c, false, err
	}
	body := *c.HostState
	body.Labels = maps.Clone(body.Labels)
	maps.DeleteFunc(body.Labels, func(name, value string) bool {
		known, ok := given[name]
		return residency.PlaceLabel(name) && !(ok && known == value)
	})
	c.HostState = &body
	return c, true, nil
}

// gate is that of the present policy.
func (tx *Tx) gate() gate {
	return gate{rules: tx.writer.store.rules, policy: tx.head.Residency, given: func(id tenancy.HostID) (given map[string]string, err error) {
		var text string
		if found, err := tx.row("SELECT token_labels FROM hosts WHERE id = ?", []any{id.UUID[:]}, &text); err != nil || !found {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &given); err != nil {
			return nil, fmt.Errorf("reading the labels of a token: %w", err)
		}
		return given, nil
	}}
}

// Append puts what of c may leave the site into the outbox, and notes what is
// held back for no other reason than that this program is too old to judge it.
func (tx *Tx) Append(c uplink.Change) error {
	if tx.head.Epoch == 0 {
		return ErrNoStream
	}
	if err := tx.pass(c); err != nil {
		return err
	}
	if c.Type == uplink.FactPut || c.Type == uplink.FactGone {
		return tx.noteHeld(c)
	}
	return nil
}

// pass lets what of c may leave the site through the gate.
func (tx *Tx) pass(c uplink.Change) error {
	left, leaves, err := tx.gate().leaves(c)
	if err != nil || !leaves {
		return err
	}
	return tx.append(left)
}

// noteHeld raises the problem that a kind, or its schema, is not known, and
// clears it when the host has none of it any more.
func (tx *Tx) noteHeld(c uplink.Change) error {
	rules := tx.writer.store.rules
	if rules == nil || tx.head.Residency == uplink.Replicate {
		return nil
	}
	p := Problem{Host: c.Host, Source: ByPolicy, Kind: c.Kind, Reason: wire.Unsupported}
	switch rules.Extent(c.Kind, int(c.Schema)) {
	case residency.Unknown:
		p.Detail = "this relay does not know the kind: its facts stay in the site until the relay is as new as the probe"
	case residency.Newer:
		p.Detail = "this relay knows an older schema of the kind only: its facts stay in the site until the relay is as new as the probe"
	default:
		return nil
	}
	if c.Type == uplink.FactPut {
		return tx.Raise(p, "", c.SeenAt)
	}
	var left bool
	if _, err := tx.row("SELECT EXISTS (SELECT 1 FROM facts WHERE host = ? AND kind = ? AND hash IS NOT NULL)", []any{c.Host.UUID[:], c.Kind}, &left); err != nil || left {
		return err
	}
	return tx.Clear(p, "", c.SeenAt)
}
