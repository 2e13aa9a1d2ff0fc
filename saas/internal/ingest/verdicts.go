package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// verdict is a row of assim.verdicts with those of assim.verdict_hosts.
type verdict struct {
	ID         tenancy.VerdictID
	Kind       string
	Site       tenancy.SiteID
	Relay      *tenancy.RelayID // nil: the service's own
	Count      int64
	Domain     []byte
	Since, At  time.Time
	OverAt     *time.Time
	Ending     string
	Cause      *tenancy.VerdictID
	Confidence int16
	Evidence   []evidence
	Hosts      []tenancy.HostID

	changed bool
}

// evidence is one element of the column of that name; saas/internal/verdicts
// reads it.
type evidence struct {
	Kind  string          `json:"kind"`
	At    int64           `json:"at"` // Unix ms
	By    *tenancy.HostID `json:"by,omitempty"`
	About *tenancy.HostID `json:"about,omitempty"`
	Age   int64           `json:"age,omitempty"` // ms
	Count uint64          `json:"count,omitempty"`
}

func verdictID(b []byte) (id tenancy.VerdictID) {
	copy(id.UUID[:], b)
	return id
}

// named lists the hosts that a verdict speaks of.
func named(v uplink.VerdictBody) []tenancy.HostID {
	all := slices.Clone(v.Hosts)
	for _, e := range v.Evidence {
		for _, id := range []tenancy.HostID{e.By, e.About} {
			if !id.IsZero() {
				all = append(all, id)
			}
		}
	}
	return all
}

// loadVerdicts reads those that the records are about, as they stand.
func (b *batch) loadVerdicts(ctx context.Context, entries []uplink.Entry) error {
	b.verdicts = map[tenancy.VerdictID]*verdict{}
	var ids []uuid.UUID
	for _, e := range entries {
		if e.Err == nil && e.Change.Type == uplink.Verdict {
			ids = append(ids, verdictID(e.Change.Verdict.ID).UUID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := b.tx.Query(ctx, `
		SELECT v.id, v.kind, v.site, v.relay, v.count, v.domain, v.since, v.at, v.over_at, v.ending, v.cause, v.confidence, v.evidence,
			ARRAY(SELECT h.host FROM assim.verdict_hosts h WHERE h.tenant = v.tenant AND h.verdict = v.id)
		FROM assim.verdicts v WHERE v.id = ANY($1)`, ids)
	if err != nil {
		return fmt.Errorf("reading verdicts: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*verdict, error) {
		v := &verdict{}
		return v, row.Scan(&v.ID, &v.Kind, &v.Site, &v.Relay, &v.Count, &v.Domain, &v.Since, &v.At, &v.OverAt, &v.Ending, &v.Cause, &v.Confidence,
			&v.Evidence, &v.Hosts)
	})
	if err != nil {
		return fmt.Errorf("reading verdicts: %w", err)
	}
	for _, v := range found {
		b.verdicts[v.ID] = v
	}
	return nil
}

// verdict takes in what the relay concluded. The newest record of a verdict
// holds, but one that is over stays so: an older copy of the stream, told again
// after a restore, opens nothing.
func (b *batch) verdict(c uplink.Change) {
	told := *c.Verdict
	id := verdictID(told.ID)
	before := b.verdicts[id]
	switch {
	case before != nil && before.Site != b.from.Site:
		b.refuse(c, wire.WrongSite, "the verdict belongs to another site")
		return
	case before != nil && (before.Relay == nil || before.Kind != string(told.Kind)):
		b.refuse(c, wire.Malformed, "the verdict's id is that of another")
		return
	case before != nil && before.OverAt != nil && told.Over == 0:
		b.refusal[wire.Replayed]++
		return
	}
	now := b.verdictOf(told)
	if len(told.Hosts) > 0 && len(now.Hosts) == 0 {
		b.refuse(c, wire.WrongSite, "none of the verdict's hosts is of this site")
		return
	}
	var known []tenancy.HostID
	if before != nil {
		known, now.Relay = before.Hosts, before.Relay
	}
	b.verdicts[id] = now
	b.tell(now, before)
	if state, follows := told.Kind.HostState(); follows && now.OverAt == nil {
		b.follow(state, now, known)
	}
}

// verdictOf keeps of what was told only hosts that are the site's.
func (b *batch) verdictOf(told uplink.VerdictBody) *verdict {
	v := &verdict{
		ID: verdictID(told.ID), Kind: string(told.Kind), Site: b.from.Site, Relay: &b.from.Relay, Domain: told.Domain, Since: wallClock(told.Since),
		At: wallClock(told.At), Ending: told.Ending, Confidence: int16(told.Confidence), Evidence: []evidence{}, Hosts: []tenancy.HostID{},
		changed: true,
	}
	if told.Over != 0 {
		over := wallClock(told.Over)
		v.OverAt = &over
	}
	if told.Cause != nil {
		cause := verdictID(told.Cause)
		v.Cause = &cause
	}
	seen := map[tenancy.HostID]bool{}
	for _, id := range told.Hosts {
		if !seen[id] && b.ofSite(id) {
			v.Hosts = append(v.Hosts, id)
		}
		seen[id] = true
	}
	v.Count = max(int64(told.Count)-int64(len(told.Hosts)-len(v.Hosts)), int64(len(v.Hosts)))
	for _, e := range told.Evidence {
		if (e.By.IsZero() || b.ofSite(e.By)) && (e.About.IsZero() || b.ofSite(e.About)) {
			v.Evidence = append(v.Evidence, evidence{e.Kind.String(), e.At, orNil(e.By, e.By.IsZero()), orNil(e.About, e.About.IsZero()), e.Age, e.Count})
		}
	}
	return v
}

// ofSite reports whether the relay may speak of a host, and counts where not.
func (b *batch) ofSite(id tenancy.HostID) bool {
	h := b.hosts[id]
	switch {
	case h == nil:
		b.refusal[wire.NotEnrolled]++
	case h.Site != b.from.Site:
		b.refusal[wire.WrongSite]++
	}
	return h != nil && h.Site == b.from.Site
}

// tell makes the events of a verdict: one when it opens, one when it is over.
func (b *batch) tell(v, before *verdict) {
	detail := map[string]any{"kind": v.Kind, "hosts": v.Count, "confidence": v.Confidence, "since": v.Since}
	var host tenancy.HostID
	if len(v.Hosts) == 1 && v.Count == 1 {
		host = v.Hosts[0]
		detail["name"] = b.hosts[host].Name
	}
	if before == nil {
		b.event(event{kind: "verdict." + strings.ReplaceAll(v.Kind, " ", "-"), seenAt: v.At, host: host, verdict: v.ID, detail: detail})
	}
	if v.OverAt != nil && (before == nil || before.OverAt == nil) && !uplink.VerdictKind(v.Kind).Momentary() {
		over := map[string]any{"ending": v.Ending}
		for name, value := range detail {
			over[name] = value
		}
		b.event(event{kind: "verdict.over", seenAt: *v.OverAt, host: host, verdict: v.ID, detail: over})
	}
}

// follow gives a state to the hosts that an open verdict names for the first
// time. One that came back meanwhile was named before; one that has moved is
// another relay's to judge.
func (b *batch) follow(state uplink.State, v *verdict, known []tenancy.HostID) {
	before := make(map[tenancy.HostID]bool, len(known))
	for _, id := range known {
		before[id] = true
	}
	for _, id := range v.Hosts {
		h := b.hosts[id]
		if before[id] || h.Retired || h.Relay != b.from.Relay && h.served {
			continue
		}
		h.State, h.StateAt, h.changed = string(state), v.At, true
	}
}

// concluded reports whether the batch changed a verdict.
func (b *batch) concluded() bool {
	for _, v := range b.verdicts {
		if v.changed {
			return true
		}
	}
	return false
}

func (b *batch) saveVerdicts(queue *pgx.Batch) {
	for _, v := range b.verdicts {
		if !v.changed {
			continue
		}
		queue.Queue(`
			INSERT INTO assim.verdicts (tenant, id, kind, site, relay, count, domain, since, at, over_at, ending, cause, confidence, evidence, received_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
			ON CONFLICT (tenant, id) DO UPDATE SET count = $6, domain = $7, since = $8, at = $9, over_at = $10, ending = $11, cause = $12,
				confidence = $13, evidence = $14, received_at = $15`,
			b.from.Tenant, v.ID, v.Kind, v.Site, v.Relay, v.Count, v.Domain, v.Since, v.At, v.OverAt, v.Ending, v.Cause, v.Confidence, v.Evidence, b.at)
		queue.Queue(`DELETE FROM assim.verdict_hosts WHERE verdict = $1 AND host <> ALL ($2)`, v.ID, v.Hosts)
		queue.Queue(`INSERT INTO assim.verdict_hosts (tenant, verdict, host) SELECT $1, $2, unnest($3::uuid[]) ON CONFLICT DO NOTHING`,
			b.from.Tenant, v.ID, v.Hosts)
	}
}
