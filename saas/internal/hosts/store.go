package hosts

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Host is the row of a host.
type Host struct {
	ID           tenancy.HostID
	Name         string
	State        string // as shown, see shownState
	StateAt      time.Time
	LastState    string // what its relay said last
	Site         tenancy.SiteID
	SiteName     string
	Relay        tenancy.RelayID
	OS           string
	Arch         string
	AgentVersion string
	Labels       map[string]string
	EnrolledAt   time.Time
	ChangedAt    time.Time
	RetiredAt    *time.Time
	Findings     int // open
	// Why it is in this state, where a verdict says so.
	Verdict     *tenancy.VerdictID
	VerdictKind string
}

// shownState is what people see of a host h whose site's open problem is d: while
// nothing is heard of the site, nobody knows how its hosts are.
const shownState = `CASE WHEN h.retired_at IS NOT NULL THEN 'retired' WHEN d.id IS NOT NULL THEN 'unknown' ELSE h.state END`

const selectHost = `
	SELECT h.id, h.name, ` + shownState + `, coalesce(d.since, h.state_at), h.state, h.site, s.name, h.relay,
		h.os, h.arch, h.agent_version, h.labels, h.enrolled_at, h.changed_at, h.retired_at,
		(SELECT count(*)::int FROM assim.findings f WHERE f.tenant = h.tenant AND f.host = h.id AND f.closed_at IS NULL),
		coalesce(d.id, why.id), coalesce(d.kind, why.kind, '')
	FROM assim.hosts h JOIN assim.sites s ON s.tenant = h.tenant AND s.id = h.site
	LEFT JOIN assim.verdicts d ON d.tenant = h.tenant AND d.site = h.site AND d.relay IS NULL AND d.over_at IS NULL AND h.retired_at IS NULL
	LEFT JOIN LATERAL (
		SELECT v.id, v.kind FROM assim.verdict_hosts vh JOIN assim.verdicts v ON v.tenant = vh.tenant AND v.id = vh.verdict
		WHERE vh.tenant = h.tenant AND vh.host = h.id AND v.over_at IS NULL ORDER BY v.at DESC, v.id LIMIT 1) why ON h.retired_at IS NULL `

func makeCursor(h Host) string {
	return base64.RawURLEncoding.EncodeToString([]byte(h.ID.String() + strings.ToLower(h.Name)))
}

func parseCursor(s string) (name string, id tenancy.HostID, err error) {
	if s == "" {
		return "", id, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil && len(raw) > 36 {
		if id, err = tenancy.ParseID[tenancy.HostID](string(raw[:36])); err == nil {
			return web.Text(string(raw[36:])), id, nil
		}
	}
	return "", id, web.BadCursor()
}

// hostsNamed returns at most two hosts: enough to tell one from several.
func hostsNamed(ctx context.Context, tx pgx.Tx, ref string) ([]Host, error) {
	if id, err := tenancy.ParseID[tenancy.HostID](ref); err == nil {
		hosts, err := selectHosts(ctx, tx, `WHERE h.id = $1`, id)
		if err != nil || len(hosts) > 0 {
			return hosts, err
		}
	}
	return selectHosts(ctx, tx, `WHERE h.name_lower = lower($1) ORDER BY h.retired_at IS NOT NULL, h.retired_at DESC LIMIT 2`, web.Text(ref))
}

func selectHosts(ctx context.Context, tx pgx.Tx, which string, value any) ([]Host, error) {
	rows, err := tx.Query(ctx, selectHost+which, value)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Host])
}

// retire marks the host and orders its site's relays to refuse its key.
func retire(ctx context.Context, tx pgx.Tx, h Host, at time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE assim.usage SET hosts = greatest(hosts - 1, 0)`); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE assim.hosts SET retired_at = $2 WHERE id = $1`, h.ID, at); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE assim.sites SET orders_revision = orders_revision + 1 WHERE id = $1`, h.Site)
	return err
}

func notify(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, topics ...web.Topic) error {
	for _, topic := range topics {
		if _, err := tx.Exec(ctx, `SELECT pg_notify($1, $2)`, web.Channel, tenant.String()+" "+string(topic)); err != nil {
			return err
		}
	}
	return nil
}

// Finding is a violated rule of one host.
type Finding struct {
	Rule     string
	Subject  string
	Detail   string
	OpenedAt time.Time
}

func findingsOf(ctx context.Context, tx pgx.Tx, host tenancy.HostID) ([]Finding, error) {
	rows, err := tx.Query(ctx, `
		SELECT rule, subject, detail, opened_at FROM assim.findings WHERE host = $1 AND closed_at IS NULL
		ORDER BY opened_at DESC, rule, subject LIMIT 1000`, host)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Finding])
}

func siteNames(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT name FROM assim.sites ORDER BY lower(name) LIMIT 1000`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
