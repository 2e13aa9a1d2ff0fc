package webhooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

const columns = `id, name, url, types, site, state, previous_until, created_at, event_id, next_at, failures, failing_since, problem, sent_at, sent`

func endpointsOf(ctx context.Context, tx pgx.Tx) ([]Endpoint, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM assim.webhooks ORDER BY name, id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Endpoint])
}

func endpointOf(ctx context.Context, tx pgx.Tx, id tenancy.WebhookID) (Endpoint, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM assim.webhooks WHERE id = $1`, id)
	if err != nil {
		return Endpoint{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Endpoint])
}

// Bounds of what is kept of one endpoint.
const (
	maxWaiting = 1000   // messages; what comes after them waits in the events
	maxSettled = 10_000 // messages that were delivered or given up
	keptFor    = 30 * 24 * time.Hour
	fillAtOnce = 250 // events
)

// held is an endpoint that this process may send to until the lease ends.
type held struct {
	Endpoint
	secrets [][]byte // wrapped; the current first
	until   time.Time
}

// hold takes the lease, or renews it when until is that of this process. ok is
// false when another process has it, or there is nothing to do now.
func hold(ctx context.Context, tx pgx.Tx, id tenancy.WebhookID, until, now time.Time) (h held, ok bool, err error) {
	h.until = now.Add(lease)
	var current, previous []byte
	e := &h.Endpoint
	err = tx.QueryRow(ctx, `UPDATE assim.webhooks SET leased_until = $2 WHERE id = $1 AND state = 'on' AND next_at <= $3 AND (leased_until <= $3 OR leased_until = $4)
		RETURNING `+columns+`, secret, CASE WHEN previous_until > $3 THEN previous_secret END`, id, h.until, now, until).Scan(&e.ID, &e.Name, &e.URL, &e.Types, &e.Site, &e.State, &e.PreviousUntil,
		&e.CreatedAt, &e.EventID, &e.NextAt, &e.Failures, &e.FailingSince, &e.Problem, &e.SentAt, &e.Sent, &current, &previous)
	if errors.Is(err, pgx.ErrNoRows) {
		return h, false, nil
	}
	h.secrets = [][]byte{current}
	if previous != nil {
		h.secrets = append(h.secrets, previous)
	}
	return h, err == nil, err
}

// due reads the oldest message whose time has come.
func due(ctx context.Context, tx pgx.Tx, id tenancy.WebhookID, now time.Time) (m message, ok bool, err error) {
	err = tx.QueryRow(ctx, `SELECT event, id, type, at, body, tries FROM assim.webhook_messages WHERE webhook = $1 AND state = 'waiting' AND next_at <= $2 ORDER BY event LIMIT 1`,
		id, now).Scan(&m.Event, &m.ID, &m.Type, &m.At, &m.Body, &m.Tries)
	if errors.Is(err, pgx.ErrNoRows) {
		return m, false, nil
	}
	return m, err == nil, err
}

// fill makes the next events into messages, as many as there is room for. more
// says that it is worth looking again.
func (s *Service) fill(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, e Endpoint, now time.Time) (more bool, err error) {
	var waiting int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM assim.webhook_messages WHERE webhook = $1 AND state = 'waiting'`, e.ID).Scan(&waiting); err != nil {
		return false, err
	}
	room := min(fillAtOnce, maxWaiting-waiting)
	if room <= 0 {
		return false, nil
	}
	happened, err := s.Happened(ctx, tx, e.EventID, room)
	if err != nil || len(happened) == 0 {
		return false, err
	}
	batch := &pgx.Batch{}
	for _, h := range happened {
		if !e.wants(h) {
			continue
		}
		body, err := bodyOf(h.Type, h.Seen, h.Data)
		if err != nil {
			return false, err
		}
		state := "waiting"
		if now.Sub(h.At) > Limit {
			state = "failed" // it is listed, and can be sent again
		}
		batch.Queue(`INSERT INTO assim.webhook_messages (tenant, webhook, event, id, type, at, body, state, next_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $6) ON CONFLICT DO NOTHING`,
			tenant, e.ID, h.ID, idOf(e.ID, h.ID), h.Type, now, body, state)
	}
	batch.Queue(`UPDATE assim.webhooks SET event_id = $2 WHERE id = $1`, e.ID, happened[len(happened)-1].ID)
	batch.Queue(`DELETE FROM assim.webhook_messages WHERE webhook = $1 AND state <> 'waiting' AND (at < $2 OR event <= (
		SELECT event FROM assim.webhook_messages WHERE webhook = $1 AND state <> 'waiting' ORDER BY event DESC OFFSET $3 LIMIT 1))`, e.ID, now.Add(-keptFor), maxSettled)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return false, fmt.Errorf("making messages: %w", err)
	}
	return true, nil
}

// settle writes down what came of a try. The lease of h stays, unless the endpoint
// has to be left alone.
func (s *Service) settle(ctx context.Context, tenant tenancy.TenantID, h held, m message, t Try) (turnedOff bool, err error) {
	now := s.now()
	err = s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO assim.webhook_tries (tenant, webhook, event, at, status, took_ms, problem, answer) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			tenant, h.ID, m.Event, t.At, t.Status, t.TookMS, t.Problem, t.Answer); err != nil {
			return err
		}
		// It may have been sent again any number of times.
		if _, err := tx.Exec(ctx, `DELETE FROM assim.webhook_tries WHERE webhook = $1 AND event = $2 AND at <
			(SELECT at FROM assim.webhook_tries WHERE webhook = $1 AND event = $2 ORDER BY at DESC OFFSET $3 LIMIT 1)`, h.ID, m.Event, maxTries-1); err != nil {
			return err
		}
		if t.taken() {
			if _, err := tx.Exec(ctx, `UPDATE assim.webhook_messages SET state = 'delivered', tries = tries + 1 WHERE webhook = $1 AND event = $2`, h.ID, m.Event); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `UPDATE assim.webhooks SET failures = 0, failing_since = NULL, problem = '', sent = sent + 1, sent_at = $2 WHERE id = $1`, h.ID, now)
			return err
		}
		state, nextAt := fate(m, t, now)
		if _, err := tx.Exec(ctx, `UPDATE assim.webhook_messages SET state = $3, tries = tries + 1, next_at = $4 WHERE webhook = $1 AND event = $2`, h.ID, m.Event, state, nextAt); err != nil {
			return err
		}
		pausedUntil := now
		if t.down() {
			pausedUntil = now.Add(max(pause(h.Failures), t.wish))
		}
		var since time.Time
		if err := tx.QueryRow(ctx, `UPDATE assim.webhooks SET failures = failures + 1, failing_since = coalesce(failing_since, $2), problem = $3, next_at = $4 WHERE id = $1 RETURNING failing_since`,
			h.ID, now, t.Problem, pausedUntil).Scan(&since); err != nil {
			return err
		}
		if t.Status != gone && now.Sub(since) < patience {
			return nil
		}
		turnedOff = true
		return turnOff(ctx, tx, tenant, h.Endpoint, t.Problem, now)
	})
	if errors.Is(err, pgx.ErrNoRows) { // removed meanwhile
		return true, nil
	}
	return turnedOff, err
}

// fate is what becomes of a message that was not taken.
func fate(m message, t Try, now time.Time) (state string, nextAt time.Time) {
	if m.Tries >= len(waits) || t.Status == gone {
		return "failed", now
	}
	return "waiting", now.Add(max(jittered(waits[m.Tries]), t.wish))
}

// turnOff turns an endpoint off and makes an event of it.
func turnOff(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, e Endpoint, problem string, now time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE assim.webhooks SET state = 'failed', leased_until = '-infinity' WHERE id = $1`, e.ID); err != nil {
		return err
	}
	detail := map[string]string{"name": e.Name, "webhook": e.ID.String(), "cause": "webhook " + e.Name + " took nothing: " + problem}
	if _, err := tx.Exec(ctx, `INSERT INTO assim.events (tenant, at, seen_at, type, detail) VALUES ($1, $2, $2, 'webhook.turned-off', $3)`, tenant, now, detail); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `SELECT pg_notify('assim', $1)`, tenant.String()+" events")
	return err
}

// release gives the lease back.
func (s *Service) release(ctx context.Context, tenant tenancy.TenantID, h held) error {
	return s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE assim.webhooks SET leased_until = '-infinity' WHERE id = $1 AND leased_until = $2`, h.ID, h.until)
		return err
	})
}
