package ingest

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery"
	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/quota"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// batch is the work of one transaction: what the records touch is read once,
// changed in memory in the order of the records, and written once.
type batch struct {
	*Service
	tx    pgx.Tx
	from  Source
	epoch uint64
	at    time.Time

	realm    string // of the site's private addresses
	hosts    map[tenancy.HostID]*host
	facts    map[factKey]*fact
	order    []factKey // of facts, as first touched
	bodies   map[discovery.Hash]body
	versions []version
	loaded   map[instancesOf][]factKey // see loadedOf
	// how many facts of a kind a host has
	instances map[instancesOf]int
	events    []event
	findings  map[findingKey]finding
	stood     map[findingKey]string // what open findings said before
	uses      []allowance.Use
	verdicts  map[tenancy.VerdictID]*verdict

	replicates  bool                         // the site's topology may be stored
	tokenLabels map[string]map[string]string // by token, where they matter
	withheld    int                          // facts and hosts' states of which it may not

	budget quota.Budget
	spent  quota.Spent
	packed int64 // bytes of bodies that are new, and how many these are
	stored int64
	noRoom map[tenancy.HostID]refusedHost // hosts that the tenant may not have
	// toRefuse is how many more of them can be remembered.
	toRefuse int64

	taken   map[uplink.ChangeType]int
	refusal map[wire.Reason]int
	effect  effect
}

// wallClock reads a time as relays send it: milliseconds since 1970.
func wallClock(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// take applies records in order and writes their net effect.
func (b *batch) take(ctx context.Context, entries []uplink.Entry) error {
	b.taken, b.refusal = map[uplink.ChangeType]int{}, map[wire.Reason]int{}
	b.bodies, b.findings = map[discovery.Hash]body{}, map[findingKey]finding{}
	if err := b.load(ctx, entries); err != nil {
		return err
	}
	for _, e := range entries {
		if e.Err != nil {
			b.refuseRecord(e)
			continue
		}
		b.taken[e.Change.Type]++
		if c, keep := b.withhold(e.Change); keep {
			b.apply(c)
		}
	}
	return b.save(ctx)
}

func (b *batch) apply(c uplink.Change) {
	switch c.Type {
	case uplink.FactPut:
		b.putFact(c)
	case uplink.FactGone:
		b.dropFact(c)
	case uplink.FactList:
		b.listFacts(c)
	case uplink.HostState:
		b.hostState(c)
	case uplink.Refusal:
		b.relayRefusal(c)
	case uplink.TokenUse:
		b.tokenUse(c)
	case uplink.RelayState:
		b.relayState(c)
	case uplink.Verdict:
		b.verdict(c)
	}
}

func (b *batch) tokenUse(c uplink.Change) {
	name := c.Host.String()
	if h := b.hosts[c.Host]; h != nil {
		name = h.Name
	}
	b.uses = append(b.uses, allowance.Use{Relay: b.from.Relay, Token: c.Token, Host: c.Host, By: name, At: wallClock(c.SeenAt)})
}

// load reads what the records touch.
func (b *batch) load(ctx context.Context, entries []uplink.Entry) error {
	// The relay may have been revoked since its request was opened; from here on
	// that waits for the batch.
	var err error
	if b.realm, err = serving(ctx, b.tx, b.from.Site, b.from.Relay, "FOR SHARE OF r"); err != nil {
		return err
	}
	if !b.from.Forwarder.IsZero() {
		if _, err := serving(ctx, b.tx, b.from.Site, b.from.Forwarder, "FOR SHARE OF r"); err != nil {
			return err
		}
	}
	if err := b.loadPolicy(ctx, entries); err != nil {
		return err
	}
	hosts := map[tenancy.HostID]bool{}
	var keys []factKey
	for _, e := range entries {
		if e.Err == nil && e.Change.Type == uplink.Verdict {
			for _, id := range named(*e.Change.Verdict) {
				hosts[id] = true
			}
		}
		if e.Err != nil || e.Change.Host.IsZero() {
			continue
		}
		c := e.Change
		hosts[c.Host] = true
		if c.Type == uplink.FactPut || c.Type == uplink.FactGone {
			keys = append(keys, factKey{c.Host, c.Kind, c.Instance})
		}
	}
	if err := b.loadHosts(ctx, hosts); err != nil {
		return err
	}
	if err := b.loadRefused(ctx, hosts); err != nil {
		return err
	}
	if err := b.loadVerdicts(ctx, entries); err != nil {
		return err
	}
	if err := b.loadFindings(ctx, entries); err != nil {
		return err
	}
	listed, err := b.keysListed(ctx, entries)
	if err != nil {
		return err
	}
	return b.loadFacts(ctx, append(keys, listed...))
}

// effect is what a batch did to the graph.
type effect struct{ created, changed, gone int64 }

// count tells the metrics, after the commit.
func (b *batch) count() {
	for t, n := range b.taken {
		b.records.WithLabelValues(typeNames[t]).Add(float64(n))
	}
	for reason, n := range b.refusal {
		b.refused.WithLabelValues(reason.String()).Add(float64(n))
	}
	b.Service.withheld.Add(float64(b.withheld))
	b.elements.WithLabelValues("new").Add(float64(b.effect.created))
	b.elements.WithLabelValues("changed").Add(float64(b.effect.changed))
	b.elements.WithLabelValues("gone").Add(float64(b.effect.gone))
}

var typeNames = map[uplink.ChangeType]string{
	uplink.FactPut: "fact put", uplink.FactGone: "fact gone", uplink.HostState: "host state",
	uplink.Refusal: "refusal", uplink.TokenUse: "token use", uplink.RelayState: "relay state",
	uplink.FactList: "fact list", uplink.Verdict: "verdict",
}
