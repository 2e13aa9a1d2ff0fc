package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// The rules that ingest finds violated.
const (
	ruleRefusedFact   = "refused-fact"
	ruleMissingRight  = "missing-right"
	ruleCollectFailed = "collect-failed"
)

// unread are the rules of kinds that a probe cannot read, or not in full.
var unread = []string{ruleMissingRight, ruleCollectFailed}

// event is a row of assim.events.
type event struct {
	kind   string
	seenAt time.Time
	host   tenancy.HostID
	// verdict that it tells of.
	verdict tenancy.VerdictID
	detail  map[string]any
}

type findingKey struct {
	host          tenancy.HostID
	rule, subject string
}

// finding is opened, or closed when detail is empty.
type finding struct {
	detail string
	at     time.Time
}

func (b *batch) event(e event) { b.events = append(b.events, e) }

func (b *batch) open(host tenancy.HostID, rule, subject, detail string, at time.Time) {
	b.findings[findingKey{host, rule, subject}] = finding{detail, at}
}

func (b *batch) close(host tenancy.HostID, rule, subject string, at time.Time) {
	b.findings[findingKey{host, rule, subject}] = finding{at: at}
}

// refuse turns away a record about a host.
func (b *batch) refuse(c uplink.Change, reason wire.Reason, why string) {
	b.refusal[reason]++
	detail := map[string]any{"subject": typeNames[c.Type], "reason": reason.String(), "detail": why, "record": c.Seq}
	if c.Kind != "" {
		detail["kind"], detail["instance"] = c.Kind, c.Instance
	}
	b.refusalOf(c, detail)
}

// refusalOf notes an event of the record's host, if that is one of the site's:
// a relay has nothing to say of other hosts.
func (b *batch) refusalOf(c uplink.Change, detail map[string]any) {
	e := event{kind: "refusal", seenAt: wallClock(c.SeenAt), detail: detail}
	if h := b.hosts[c.Host]; h != nil && h.Site == b.from.Site {
		e.host = c.Host
	} else if !c.Host.IsZero() {
		detail["host"] = c.Host
	}
	b.event(e)
}

// refuseFact turns away a fact that the graph or its kind cannot bear.
func (b *batch) refuseFact(c uplink.Change, why error) {
	text := uplink.Plain(why.Error(), uplink.MaxDetail)
	b.refuse(c, wire.Malformed, text)
	b.open(c.Host, ruleRefusedFact, c.Kind+"/"+c.Instance, text, wallClock(c.SeenAt))
}

// refuseRecord turns away a record that could not be read at all.
func (b *batch) refuseRecord(e uplink.Entry) {
	reason := wire.ReasonOf(e.Err)
	b.refusal[reason]++
	b.event(event{kind: "refusal", seenAt: b.at, detail: map[string]any{
		"subject": "record", "reason": reason.String(), "detail": e.Err.Error(), "record": e.Seq}})
}

// relayRefusal takes in what the relay, or a probe, refused. It is shown as a
// finding where it is about a host that is known.
func (b *batch) relayRefusal(c uplink.Change) {
	r, seen := c.Refusal, wallClock(c.SeenAt)
	detail := map[string]any{"subject": r.Subject, "reason": r.Reason.String(), "detail": r.Detail, "from": r.From, "token": c.Token, "cleared": r.Cleared}
	if c.Kind != "" {
		detail["kind"], detail["instance"] = c.Kind, c.Instance
	}
	if h := b.hosts[c.Host]; h == nil || c.Kind == "" || h.Site != b.from.Site {
		b.refusalOf(c, detail)
		return
	}
	key, text := findingOf(c), r.Reason.String()
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	switch {
	case r.Cleared:
		b.refusalOf(c, detail)
		b.close(key.host, key.rule, key.subject, seen)
	case b.standing(key) != text:
		if b.stood[key] != text { // else a relay that tells everything anew tells it again: no news
			b.refusalOf(c, detail)
		}
		b.open(key.host, key.rule, key.subject, text, seen)
	}
}

// findingOf names the finding that a refusal is about.
func findingOf(c uplink.Change) findingKey {
	rule := ruleRefusedFact
	switch c.Refusal.Reason {
	case wire.MissingRight:
		rule = ruleMissingRight
	case wire.CollectFailed:
		rule = ruleCollectFailed
	}
	return findingKey{c.Host, rule, c.Kind + "/" + c.Instance}
}

// standing is what an open finding says, "" where there is none.
func (b *batch) standing(key findingKey) string {
	if f, changed := b.findings[key]; changed {
		return f.detail
	}
	return b.stood[key]
}

// loadFindings reads the open findings that refusals are about, and those that
// lists of facts may end.
func (b *batch) loadFindings(ctx context.Context, entries []uplink.Entry) error {
	var hosts, listedHosts []tenancy.HostID
	var rules, subjects, listedKinds []string
	for _, e := range entries {
		switch c := e.Change; {
		case e.Err != nil || c.Kind == "":
		case c.Type == uplink.FactList:
			listedHosts, listedKinds = append(listedHosts, c.Host), append(listedKinds, c.Kind)
		case c.Type == uplink.Refusal:
			key := findingOf(c)
			hosts, rules, subjects = append(hosts, key.host), append(rules, key.rule), append(subjects, key.subject)
		}
	}
	if len(hosts)+len(listedHosts) == 0 {
		return nil
	}
	rows, err := b.tx.Query(ctx, `
		SELECT f.host, f.rule, f.subject, f.detail FROM unnest($2::uuid[], $3::text[], $4::text[]) AS k(host, rule, subject)
		JOIN assim.findings f ON f.tenant = $1 AND f.host = k.host AND f.rule = k.rule AND f.subject = k.subject AND f.closed_at IS NULL
		UNION
		SELECT f.host, f.rule, f.subject, f.detail FROM unnest($5::uuid[], $6::text[]) AS k(host, kind)
		JOIN assim.findings f ON f.tenant = $1 AND f.host = k.host AND f.rule = ANY ($7) AND starts_with(f.subject, k.kind || '/') AND f.closed_at IS NULL`,
		b.from.Tenant, hosts, rules, subjects, listedHosts, listedKinds, unread)
	if err != nil {
		return fmt.Errorf("reading findings: %w", err)
	}
	b.stood = map[findingKey]string{}
	var key findingKey
	var detail string
	if _, err := pgx.ForEachRow(rows, []any{&key.host, &key.rule, &key.subject, &detail}, func() error { b.stood[key] = detail; return nil }); err != nil {
		return fmt.Errorf("reading findings: %w", err)
	}
	return nil
}

// closeUnread ends what stood of a kind's being read: a list of its facts says so.
func (b *batch) closeUnread(c uplink.Change) {
	if h := b.hosts[c.Host]; h == nil || h.Site != b.from.Site {
		return
	}
	for key := range b.stood {
		if key.host == c.Host && slices.Contains(unread, key.rule) && strings.HasPrefix(key.subject, c.Kind+"/") {
			b.close(key.host, key.rule, key.subject, wallClock(c.SeenAt))
		}
	}
}

// encodeEvents is what the events say, as they are stored, and how much that is in
// bytes.
func (b *batch) encodeEvents() (details []string, size int64, err error) {
	for _, e := range b.events {
		detail, err := json.Marshal(e.detail)
		if err != nil {
			return nil, 0, fmt.Errorf("encoding an event: %w", err)
		}
		details, size = append(details, string(detail)), size+int64(len(detail))
	}
	return details, size, nil
}

// saveEvents comes last: from the first event on, the tenant's other tellers wait
// for the commit, so that events are numbered in the order in which they are seen.
func (b *batch) saveEvents(ctx context.Context, details []string) error {
	if len(b.events) == 0 {
		return nil
	}
	var kinds []string
	var seen []time.Time
	var hosts []*tenancy.HostID
	var verdicts []*tenancy.VerdictID
	for _, e := range b.events {
		kinds, seen = append(kinds, e.kind), append(seen, e.seenAt)
		hosts, verdicts = append(hosts, orNil(e.host, e.host.IsZero())), append(verdicts, orNil(e.verdict, e.verdict.IsZero()))
	}
	_, err := b.tx.Exec(ctx, `
		INSERT INTO assim.events (tenant, at, site, relay, seen_at, type, host, verdict, detail)
		SELECT $1, $2, $3, $4, k.seen_at, k.type, k.host, k.verdict, k.detail::jsonb
		FROM unnest($5::timestamptz[], $6::text[], $7::uuid[], $8::uuid[], $9::text[]) WITH ORDINALITY AS k(seen_at, type, host, verdict, detail, n)
		ORDER BY k.n`,
		b.from.Tenant, b.at, b.from.Site, b.from.Relay, seen, kinds, hosts, verdicts, details)
	if err != nil {
		return fmt.Errorf("writing events: %w", err)
	}
	return nil
}

func orNil[T any](v T, none bool) *T {
	if none {
		return nil
	}
	return &v
}

func (b *batch) saveFindings(queue *pgx.Batch) {
	var closedHosts []tenancy.HostID
	var closedRules, closedSubjects []string
	for k := range maps.Keys(b.findings) {
		f := b.findings[k]
		if f.detail == "" {
			closedHosts, closedRules, closedSubjects = append(closedHosts, k.host), append(closedRules, k.rule), append(closedSubjects, k.subject)
			continue
		}
		queue.Queue(`
			INSERT INTO assim.findings AS f (tenant, host, rule, subject, detail, opened_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tenant, host, rule, subject) DO UPDATE SET detail = $5, closed_at = NULL,
				opened_at = CASE WHEN f.closed_at IS NULL THEN f.opened_at ELSE $6 END`,
			b.from.Tenant, k.host, k.rule, k.subject, f.detail, f.at)
	}
	if len(closedHosts) > 0 {
		queue.Queue(`
			UPDATE assim.findings f SET closed_at = $1 FROM unnest($2::uuid[], $3::text[], $4::text[]) AS k(host, rule, subject)
			WHERE f.tenant = $5 AND f.host = k.host AND f.rule = k.rule AND f.subject = k.subject AND f.closed_at IS NULL`,
			b.at, closedHosts, closedRules, closedSubjects, b.from.Tenant)
	}
}

// opened reports whether any finding is opened by the batch.
func (b *batch) opened() bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(b.findings)), func(f finding) bool { return f.detail != "" })
}
