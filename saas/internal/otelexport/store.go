package otelexport

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

const columns = `id, name, protocol, endpoint, compression, signals, headers, ca, certificate, created_at, event_id, changed, sampled_at, tries, problem, next_at, sent_at, sent`

func exportersOf(ctx context.Context, tx pgx.Tx) ([]Exporter, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM assim.exporters ORDER BY name, id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Exporter])
}

func exporterOf(ctx context.Context, tx pgx.Tx, id tenancy.ExporterID) (Exporter, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM assim.exporters WHERE id = $1`, id)
	if err != nil {
		return Exporter{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Exporter])
}

// after is the condition and the order of what comes after a place.
const (
	after = `v.at >= $1 AND (v.at, v.relay, v.epoch, v.seq, v.host, v.kind, v.instance) > ($1, $2, $3, $4, $5, $6, $7)`
	order = `v.at, v.relay, v.epoch, v.seq, v.host, v.kind, v.instance`
)

func (p place) values(more ...any) []any {
	return append([]any{p.At, p.Relay, p.Epoch, p.Seq, p.Host, p.Kind, p.Instance}, more...)
}

// eventsAfter reads events in the order of their commits. One about one host is of
// that host.
func eventsAfter(ctx context.Context, tx pgx.Tx, id int64) ([]event, error) {
	rows, err := tx.Query(ctx, `
		SELECT e.id, e.at, e.seen_at, e.type, e.detail, e.verdict, coalesce(s.name, ''), coalesce(r.name, ''), h.id, coalesce(h.name, ''), coalesce(h.os, ''), coalesce(h.arch, ''), coalesce(h.agent_version, ''),
			ARRAY(SELECT n.name FROM assim.verdict_hosts vh JOIN assim.hosts n ON n.tenant = vh.tenant AND n.id = vh.host
				WHERE vh.tenant = e.tenant AND vh.verdict = e.verdict ORDER BY n.name LIMIT $3)
		FROM (SELECT * FROM assim.events WHERE id > $1 ORDER BY id LIMIT $2) e
		LEFT JOIN assim.sites s ON s.tenant = e.tenant AND s.id = e.site
		LEFT JOIN assim.relays r ON r.tenant = e.tenant AND r.id = e.relay
		LEFT JOIN assim.hosts h ON h.tenant = e.tenant AND h.id = coalesce(e.host, (SELECT min(vh.host::text)::uuid FROM assim.verdict_hosts vh
			WHERE vh.tenant = e.tenant AND vh.verdict = e.verdict HAVING count(*) = 1))
		ORDER BY e.id`, id, batchSize, maxAbout)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[event])
}

// changesAfter reads the history in the order of its times.
func changesAfter(ctx context.Context, tx pgx.Tx, p place) ([]change, error) {
	rows, err := tx.Query(ctx, `
		SELECT v.at, v.relay, v.epoch, v.seq, v.host, v.kind, v.instance, v.seen_at, coalesce(s.name, ''), coalesce(h.name, ''), coalesce(h.os, ''), coalesce(h.arch, ''), coalesce(h.agent_version, ''), v.hash, v.previous
		FROM (SELECT * FROM assim.fact_versions v WHERE `+after+` ORDER BY `+order+` LIMIT $8) v
		LEFT JOIN assim.hosts h ON h.tenant = v.tenant AND h.id = v.host
		LEFT JOIN assim.sites s ON s.tenant = h.tenant AND s.id = h.site
		ORDER BY `+order, p.values(batchSize)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c change, err error) {
		err = row.Scan(&c.At, &c.Relay, &c.Epoch, &c.Seq, &c.Host, &c.Kind, &c.Instance, &c.SeenAt, &c.Site, &c.HostName, &c.OS, &c.Arch, &c.Version, &c.Hash, &c.Previous)
		return c, err
	})
}

// maxWaiting bounds what is counted of what waits.
const maxWaiting = 10_000

// waiting counts what an exporter has before it, at most maxWaiting of each.
func waiting(ctx context.Context, tx pgx.Tx, e Exporter) (n int64, err error) {
	if e.sends(Events) {
		if err = tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM assim.events WHERE id > $1 LIMIT $2) x`, e.EventID, maxWaiting).Scan(&n); err != nil {
			return 0, err
		}
	}
	if e.sends(Changes) {
		var more int64
		if err = tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM assim.fact_versions v WHERE `+after+` LIMIT $8) x`, e.Changed.values(maxWaiting)...).Scan(&more); err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}

// undelivered is what never came to the collector, or was refused there.
type undelivered struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at" doc:"when it was given up"`
	Signal  Signal    `json:"signal" enum:"events,changes,metrics"`
	Records int64     `json:"records"`
	FirstAt time.Time `json:"first_at" doc:"of the first record"`
	LastAt  time.Time `json:"last_at"`
	Reason  string    `json:"reason"`
	Sample  []string  `json:"sample" nullable:"false" doc:"the first lines"`
}

// maxUndelivered bounds the rows that are kept of an exporter.
const maxUndelivered = 200

func undeliveredOf(ctx context.Context, tx pgx.Tx, exporter tenancy.ExporterID) ([]undelivered, error) {
	rows, err := tx.Query(ctx, `SELECT id, at, signal, records, first_at, last_at, reason, sample FROM assim.undelivered WHERE exporter = $1 ORDER BY id DESC LIMIT $2`, exporter, maxUndelivered)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[undelivered])
}

func addUndelivered(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, exporter tenancy.ExporterID, u undelivered) error {
	if _, err := tx.Exec(ctx, `INSERT INTO assim.undelivered (tenant, exporter, at, signal, records, first_at, last_at, reason, sample) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		tenant, exporter, u.At, u.Signal, u.Records, u.FirstAt, u.LastAt, u.Reason, u.Sample); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM assim.undelivered WHERE exporter = $1 AND id <= (SELECT id FROM assim.undelivered WHERE exporter = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)`, exporter, maxUndelivered)
	return err
}
