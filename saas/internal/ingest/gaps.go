package ingest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// relayState tells what a relay says of itself. A gap is told with its bounds.
func (b *batch) relayState(c uplink.Change) {
	detail := map[string]any{"version": c.Relay.Version, "detail": c.Relay.Detail}
	if g := c.Relay.Gap; g != nil {
		detail["cause"] = g.Cause
		for name, n := range map[string]uint64{"epoch": g.Epoch, "first_record": g.From, "last_record": g.To, "records": g.Records} {
			if n != 0 {
				detail[name] = n
			}
		}
		for name, at := range map[string]int64{"since": g.Since, "until": g.Until} {
			if at != 0 {
				detail[name] = wallClock(at)
			}
		}
	}
	b.event(event{kind: "relay." + c.Relay.Event, seenAt: wallClock(c.SeenAt), detail: detail})
}

// keysListed reads which facts the hosts have of the kinds that the records
// list: those that a list leaves out are gone.
func (b *batch) keysListed(ctx context.Context, entries []uplink.Entry) (keys []factKey, err error) {
	var hosts []tenancy.HostID
	var kinds []string
	for _, e := range entries {
		if e.Err == nil && e.Change.Type == uplink.FactList {
			hosts, kinds = append(hosts, e.Change.Host), append(kinds, e.Change.Kind)
		}
	}
	if len(hosts) == 0 {
		return nil, nil
	}
	rows, err := b.tx.Query(ctx, `
		SELECT f.host, f.kind, f.instance
		FROM (SELECT DISTINCT host, kind FROM unnest($1::uuid[], $2::text[]) AS k(host, kind)) k
		JOIN assim.facts f ON f.tenant = $3 AND f.host = k.host AND f.kind = k.kind`, hosts, kinds, b.from.Tenant)
	if err != nil {
		return nil, fmt.Errorf("reading listed facts: %w", err)
	}
	var k factKey
	_, err = pgx.ForEachRow(rows, []any{&k.host, &k.kind, &k.instance}, func() error {
		keys = append(keys, k)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading listed facts: %w", err)
	}
	return keys, nil
}

// loadedOf lists the facts of one kind of a host that the batch has read. All are
// sorted once: a batch may hold thousands of lists.
func (b *batch) loadedOf(of instancesOf) []factKey {
	if b.loaded == nil {
		b.loaded = map[instancesOf][]factKey{}
		for _, k := range b.order {
			b.loaded[instancesOf{k.host, k.kind}] = append(b.loaded[instancesOf{k.host, k.kind}], k)
		}
	}
	return b.loaded[of]
}

// listFacts drops the facts of a kind that the list leaves out, if they are
// older than the list.
func (b *batch) listFacts(c uplink.Change) {
	b.closeUnread(c)
	listed := make(map[string]bool, len(c.Instances))
	for _, instance := range c.Instances {
		listed[instance] = true
	}
	for _, k := range b.loadedOf(instancesOf{c.Host, c.Kind}) {
		f := b.facts[k]
		if f.now == nil || listed[k.instance] {
			continue
		}
		gone := c
		gone.Instance = k.instance
		if _, _, ok := b.admitted(gone); !ok {
			continue
		}
		b.note(gone, f, nil)
		f.elements, f.projected = cmdb.Elements{}, true
		f.term, f.version, f.moved = c.Term, c.Version, true
		b.close(c.Host, ruleRefusedFact, k.subject(), wallClock(c.SeenAt))
	}
}
