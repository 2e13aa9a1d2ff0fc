package sites

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

// maxFleet bounds the relays, and the tokens, that a page of the whole tenant
// shows.
const maxFleet = 1000

// member is a relay among all of the tenant's.
type member struct {
	Relay
	site     tenancy.SiteID
	siteName string
	gaps     int // of its stream, in the last week
	gapAt    *time.Time
}

// problem is what is wrong with a relay, in words.
type problem struct {
	tone ui.Tone
	text string
	at   time.Time
}

// Beyond these, a relay is worth a look.
const (
	muchBacklog = 10_000             // records
	renewBefore = 7 * 24 * time.Hour // certificates are renewed in time, so a relay that still has an old one cannot
)

func (m member) problems(now time.Time) (all []problem) {
	if m.RevokedAt != nil {
		return nil
	}
	if m.State == Silent {
		all = append(all, problem{ui.Bad, "is not heard", *m.SeenAt})
	}
	if m.gaps > 0 {
		all = append(all, problem{ui.Warn, "skipped steps of its history " + ui.Count(m.gaps, "time", "times") + " this week; the state is whole, and what lies between is not known", *m.gapAt})
	}
	if m.Backlog > muchBacklog {
		all = append(all, problem{ui.Warn, fmt.Sprintf("is %d records behind", m.Backlog), *m.SeenAt})
	}
	if m.State != Waiting && m.CertifiedTil.Before(now.Add(renewBefore)) {
		all = append(all, problem{ui.Warn, "could not renew its certificate, which ends on " + m.CertifiedTil.Format("2 January 2006"), m.CertifiedTil})
	}
	return all
}

// fleet lists the relays of all sites but revoked ones, by site and age.
func fleet(ctx context.Context, tx pgx.Tx, now time.Time) ([]member, error) {
	rows, err := tx.Query(ctx, `
		SELECT r.id, r.name, r.version, r.token, r.installs, r.backlog, r.created_at, r.seen_at, r.revoked_at, r.certificate,
			s.id, s.name, coalesce(g.gaps, 0), g.at
		FROM assim.relays r JOIN assim.sites s ON s.tenant = r.tenant AND s.id = r.site
		LEFT JOIN (
			SELECT relay, count(*)::int AS gaps, max(at) AS at FROM assim.events
			WHERE type = 'relay.gap' AND at > $1 GROUP BY relay) g ON g.relay = r.id
		WHERE r.revoked_at IS NULL ORDER BY lower(s.name), s.id, r.created_at, r.id LIMIT $2`, now.AddDate(0, 0, -7), maxFleet)
	if err != nil {
		return nil, fmt.Errorf("listing relays: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m member, err error) {
		m.Relay, err = scanRelayWith(row, now, &m.site, &m.siteName, &m.gaps, &m.gapAt)
		return m, err
	})
}

// issued is a token among all of the tenant's.
type issued struct {
	Token
	site     tenancy.SiteID
	siteName string
}

// tokenFilter chooses tokens. Empty fields choose all.
type tokenFilter struct {
	site  string // id or name
	kind  Use
	state TokenState
	text  string // part of a name, an id or what was enrolled
}

func allTokens(ctx context.Context, tx pgx.Tx, f tokenFilter, now time.Time) ([]issued, error) {
	rows, err := tx.Query(ctx, `
		SELECT t.id, t.kind, t.name, t.labels, t.max_uses, t.uses, t.created_at, t.created_by, t.expires_at, t.revoked_at, t.last_used_at, t.last_used_by,
			s.id, s.name
		FROM assim.tokens t JOIN assim.sites s ON s.tenant = t.tenant AND s.id = t.site
		WHERE ($1 = '' OR s.id::text = lower($1) OR s.name = $1) AND ($2 = '' OR t.kind = $2)
		  AND ($3 = '' OR $3 = CASE WHEN t.revoked_at IS NOT NULL THEN 'revoked' WHEN t.expires_at <= $5 THEN 'expired'
			WHEN t.uses >= t.max_uses THEN 'used up' ELSE 'active' END)
		  AND ($4 = '' OR strpos(lower(t.name || ' ' || t.id || ' ' || t.last_used_by || ' ' || t.created_by || ' ' || t.labels::text), lower($4)) > 0)
		ORDER BY t.created_at DESC, t.id DESC LIMIT $6`, f.site, string(kindOf[f.kind]), string(f.state), f.text, now, maxFleet)
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t issued, err error) {
		t.Token, err = scanTokenWith(row, now, &t.site, &t.siteName)
		return t, err
	})
}
