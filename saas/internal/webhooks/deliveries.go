package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Delivery is a message as people see it.
type Delivery struct {
	Event   int64           `json:"event" doc:"id of the event"`
	ID      string          `json:"id" doc:"the header webhook-id, the same with each try"`
	Type    string          `json:"type"`
	At      time.Time       `json:"at" doc:"when the message was made"`
	State   string          `json:"state" enum:"waiting,delivered,failed"`
	Tries   int             `json:"tries" doc:"since it was made, or sent again"`
	NextAt  *time.Time      `json:"next_at,omitempty" doc:"of the next try"`
	LastTry *Try            `json:"last_try,omitempty"`
	All     []Try           `json:"all_tries,omitempty" doc:"of one delivery only; the oldest first"`
	Body    json.RawMessage `json:"body,omitempty" doc:"of one delivery only"`
}

const deliveryColumns = `m.event, m.id, m.type, m.at, m.state, m.tries, m.next_at, t.at, t.status, t.took_ms, t.problem, t.answer`

func scanDelivery(row pgx.CollectableRow) (d Delivery, err error) {
	var next time.Time
	var at *time.Time
	var status *int
	var took *int64
	var problem, answer *string
	if err := row.Scan(&d.Event, &d.ID, &d.Type, &d.At, &d.State, &d.Tries, &next, &at, &status, &took, &problem, &answer); err != nil {
		return d, err
	}
	d.At = d.At.UTC()
	if next = next.UTC(); d.State == "waiting" {
		d.NextAt = &next
	}
	if at != nil {
		d.LastTry = &Try{At: at.UTC(), Status: *status, TookMS: *took, Problem: *problem, Answer: *answer}
	}
	return d, nil
}

// lastTry joins a message with its last try.
const lastTry = `LEFT JOIN LATERAL (SELECT * FROM assim.webhook_tries t WHERE t.tenant = m.tenant AND t.webhook = m.webhook AND t.event = m.event ORDER BY t.at DESC LIMIT 1) t ON true`

// deliveries lists messages of an endpoint, the newest event first.
func (s *Service) deliveries(ctx context.Context, a web.Actor, ref, state, cursor string, limit int) (all []Delivery, next string, err error) {
	before, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return nil, "", err
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+deliveryColumns+` FROM assim.webhook_messages m `+lastTry+`
			WHERE m.webhook = $1 AND m.event < $2 AND ($3 = '' OR m.state = $3) ORDER BY m.event DESC LIMIT $4`, e.ID, before, state, limit+1)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanDelivery)
		return err
	})
	if len(all) > limit {
		all = all[:limit]
		next = strconv.FormatInt(all[limit-1].Event, 10)
	}
	return all, next, err
}

// parseCursor reads the event before which a page begins.
func parseCursor(text string) (before int64, err error) {
	if text == "" {
		return 1<<63 - 1, nil
	}
	before, err = strconv.ParseInt(text, 10, 64)
	if err != nil || before < 1 {
		return 0, web.BadCursor()
	}
	return before, nil
}

var errNoDelivery = huma.Error404NotFound("there is no such delivery")

// maxTries is how many tries of a delivery are kept, the newest.
const maxTries = 100

// delivery is one message with its body and its tries.
func (s *Service) delivery(ctx context.Context, a web.Actor, ref string, event int64) (d Delivery, err error) {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return d, err
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+deliveryColumns+` FROM assim.webhook_messages m `+lastTry+` WHERE m.webhook = $1 AND m.event = $2`, e.ID, event)
		if err != nil {
			return err
		}
		if d, err = pgx.CollectExactlyOneRow(rows, scanDelivery); err != nil {
			return err
		}
		var body string
		if err := tx.QueryRow(ctx, `SELECT body FROM assim.webhook_messages WHERE webhook = $1 AND event = $2`, e.ID, event).Scan(&body); err != nil {
			return err
		}
		d.Body = json.RawMessage(body)
		rows, err = tx.Query(ctx, `SELECT at, status, took_ms, problem, answer FROM (SELECT * FROM assim.webhook_tries WHERE webhook = $1 AND event = $2 ORDER BY at DESC LIMIT $3) t ORDER BY at`, e.ID, event, maxTries)
		if err != nil {
			return err
		}
		d.All, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Try, err error) {
			err = row.Scan(&t.At, &t.Status, &t.TookMS, &t.Problem, &t.Answer)
			t.At = t.At.UTC()
			return t, err
		})
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return d, errNoDelivery
	}
	return d, err
}

// redeliver sends a message again, under the same id.
func (s *Service) redeliver(ctx context.Context, a web.Actor, ref string, event int64) error {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return err
	}
	if e.State != On {
		return huma.Error409Conflict("the webhook is off: turn it on first")
	}
	now := s.now()
	return s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `UPDATE assim.webhook_messages SET state = 'waiting', tries = 0, next_at = $3 WHERE webhook = $1 AND event = $2`, e.ID, event, now)
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			return errNoDelivery
		}
		if _, err := tx.Exec(ctx, `UPDATE assim.webhooks SET next_at = least(next_at, $2) WHERE id = $1`, e.ID, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "webhook.redeliver", Object: e.ID.String(), Detail: map[string]string{"event": strconv.FormatInt(event, 10)}})
	})
}

// waiting counts what each endpoint has before it: messages, and events that are not
// made into messages yet.
func waiting(ctx context.Context, tx pgx.Tx) (map[tenancy.WebhookID]int64, error) {
	rows, err := tx.Query(ctx, `SELECT w.id, (SELECT count(*) FROM assim.webhook_messages m WHERE m.tenant = w.tenant AND m.webhook = w.id AND m.state = 'waiting') FROM assim.webhooks w`)
	if err != nil {
		return nil, err
	}
	all := map[tenancy.WebhookID]int64{}
	var id tenancy.WebhookID
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error {
		all[id] = n
		return nil
	})
	return all, err
}
