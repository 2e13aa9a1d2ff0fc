package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery"
	"assimilation/discovery/residency"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// loadPolicy reads where the site's topology may be stored, and the labels that
// the service itself gave by tokens, if any record makes that matter.
func (b *batch) loadPolicy(ctx context.Context, entries []uplink.Entry) error {
	var policy uplink.Residency
	if err := b.tx.QueryRow(ctx, `SELECT residency FROM assim.sites WHERE id = $1`, b.from.Site).Scan(&policy); err != nil {
		return fmt.Errorf("reading the policy of site %s: %w", b.from.Site, err)
	}
	b.replicates = policy == uplink.Replicate
	if b.replicates || !slices.ContainsFunc(entries, func(e uplink.Entry) bool { return e.Err == nil && placed(e.Change) }) {
		return nil
	}
	var err error
	b.tokenLabels, err = tokenLabels(ctx, b.tx, b.from.Site)
	return err
}

func tokenLabels(ctx context.Context, tx pgx.Tx, site tenancy.SiteID) (map[string]map[string]string, error) {
	rows, err := tx.Query(ctx, `SELECT id, labels FROM assim.tokens WHERE site = $1 AND labels <> '{}'`, site)
	if err != nil {
		return nil, fmt.Errorf("reading the labels of tokens: %w", err)
	}
	all := map[string]map[string]string{}
	var id string
	var text []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		var labels map[string]string
		err := json.Unmarshal(text, &labels)
		all[id] = labels
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the labels of tokens: %w", err)
	}
	return all, nil
}

// placed reports whether a record has a label that names a place.
func placed(c uplink.Change) bool {
	if c.Type != uplink.HostState {
		return false
	}
	for name := range c.HostState.Labels {
		if residency.PlaceLabel(name) {
			return true
		}
	}
	return false
}

// withhold takes from a record what must not be stored of this site: its relay
// has not heard of the policy yet, or does not keep it. keep is false when
// nothing is left.
func (b *batch) withhold(c uplink.Change) (left uplink.Change, keep bool) {
	if b.replicates {
		return c, true
	}
	switch c.Type {
	case uplink.FactPut:
		switch b.rules.Extent(c.Kind, int(c.Schema)) {
		case residency.Nothing:
			b.withheld++
			return c, false
		case residency.Part:
			body, err := b.rules.Redact(c.Kind, c.Body)
			if err != nil {
				return c, true // it is no body of the kind, and refused as such
			}
			if string(body) != string(c.Body) {
				b.withheld++
				hash := discovery.HashBody(c.Kind, int(c.Schema), body)
				c.Body, c.Hash = body, hash[:]
			}
		}
	case uplink.Refusal:
		if r := *c.Refusal; r.Subject == "fact" && r.Reason != wire.MissingRight && b.rules.Extent(c.Kind, 0) == residency.Nothing {
			r.Detail = ""
			c.Refusal = &r
		}
	case uplink.HostState:
		if placed(c) {
			token := c.Token
			if h := b.hosts[c.Host]; h != nil {
				token = h.Token
			}
			state := *c.HostState
			state.Labels = withoutPlaces(state.Labels, b.tokenLabels[token])
			if len(state.Labels) != len(c.HostState.Labels) {
				b.withheld++
			}
			c.HostState = &state
		}
	}
	return c, true
}

// withoutPlaces leaves out the labels that name a place, but those given.
func withoutPlaces(labels, given map[string]string) map[string]string {
	left := maps.Clone(labels)
	maps.DeleteFunc(left, func(name, value string) bool {
		known, ok := given[name]
		return residency.PlaceLabel(name) && !(ok && known == value)
	})
	return left
}
