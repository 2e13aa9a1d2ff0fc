package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service shows the log. All fields are required.
type Service struct {
	DB *store.DB
}

// Row is an entry as it is shown.
type Row struct {
	ID      int64           `json:"id"`
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor" doc:"who"`
	UserID  *tenancy.UserID `json:"user_id,omitempty" format:"uuid"`
	Address string          `json:"address,omitempty" doc:"from where"`
	Action  string          `json:"action" doc:"what"`
	Object  string          `json:"object,omitempty" doc:"done to what"`
	Detail  json.RawMessage `json:"detail"`
	Before  json.RawMessage `json:"before,omitempty"`
	After   json.RawMessage `json:"after,omitempty"`
}

// Filter chooses entries. Empty fields choose all.
type Filter struct {
	Actor        string // part of it, or of the address
	Action       string // of this action, or beginning with "action."
	Object       string
	Since, Until time.Time
	Before       int64 // entries with a smaller id: the next page
	Limit        int
}

// List reads entries, newest first.
func (s *Service) List(ctx context.Context, tenant tenancy.TenantID, f Filter) (rows []Row, next string, err error) {
	limit := f.Limit
	f.Limit++
	err = s.each(ctx, tenant, f, func(r Row) error {
		rows = append(rows, r)
		return nil
	})
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].ID, 10)
	}
	return rows, next, err
}

// each reads entries one by one: a log may be long.
func (s *Service) each(ctx context.Context, tenant tenancy.TenantID, f Filter, do func(Row) error) error {
	sql, args := f.text()
	return s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return fmt.Errorf("reading the audit log: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var r Row
			if err := rows.Scan(&r.ID, &r.At, &r.Actor, &r.UserID, &r.Address, &r.Action, &r.Object, &r.Detail, &r.Before, &r.After); err != nil {
				return fmt.Errorf("reading the audit log: %w", err)
			}
			r.At = r.At.UTC()
			if err := do(r); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// text is the SQL of a filter.
func (f Filter) text() (string, []any) {
	where := []string{"true"}
	var args []any
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	if f.Actor != "" {
		add(`(strpos(lower(actor), lower(?)) > 0 OR strpos(address, ?) > 0)`, web.Text(f.Actor))
	}
	if f.Action != "" {
		add(`(action = ? OR starts_with(action, ? || '.'))`, web.Text(f.Action))
	}
	if f.Object != "" {
		add(`object = ?`, web.Text(f.Object))
	}
	if !f.Since.IsZero() {
		add(`at >= ?`, f.Since)
	}
	if !f.Until.IsZero() {
		add(`at < ?`, f.Until)
	}
	if f.Before > 0 {
		add(`id < ?`, f.Before)
	}
	args = append(args, f.Limit)
	return `SELECT id, at, actor, user_id, address, action, object, detail, before, after FROM assim.audit WHERE ` + strings.Join(where, " AND ") +
		` ORDER BY id DESC LIMIT $` + strconv.Itoa(len(args)), args
}

// words says in one line what changed.
func (r Row) words() string {
	var before, after, detail map[string]string
	for _, part := range []struct {
		raw json.RawMessage
		to  *map[string]string
	}{{r.Before, &before}, {r.After, &after}, {r.Detail, &detail}} {
		if len(part.raw) > 0 && json.Unmarshal(part.raw, part.to) != nil {
			*part.to = map[string]string{"": string(part.raw)}
		}
	}
	return strings.Join(append(differences(before, after), pairs(detail)...), ", ")
}
