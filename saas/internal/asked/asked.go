// Package asked remembers what each person asked of the graph, so that a question
// can be asked again: named queries and Cypher, by the address of the page that
// answers.
package asked

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service is the feature.
type Service struct {
	DB *store.DB
}

// Limits of what is remembered.
const (
	maxAddress = 40_000 // bytes
	maxKept    = 200    // questions of one person
	shown      = 12
)

// question is one that somebody asked.
type question struct {
	Address string
	Said    string
	Times   int64
	At      time.Time
}

// Remember keeps a question that a person asked in a browser: the address of its
// page, and the question as people read it.
func (s *Service) Remember(ctx context.Context, a web.Actor, address, said string) error {
	if a.User.IsZero() || a.Token != "" || len(address) > maxAddress {
		return nil
	}
	hash := sha256.Sum256([]byte(address))
	err := s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO assim.asked (tenant, person, hash, address, said) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant, person, hash) DO UPDATE SET times = asked.times + 1, at = now()`, a.Tenant, a.User, hash[:], address, web.Text(said))
		if err == nil {
			_, err = tx.Exec(ctx, `
				DELETE FROM assim.asked WHERE person = $1 AND at < (SELECT at FROM assim.asked WHERE person = $1 ORDER BY at DESC OFFSET $2 LIMIT 1)`, a.User, maxKept-1)
		}
		if err != nil {
			return fmt.Errorf("remembering a question: %w", err)
		}
		return nil
	})
	// Who just left the tenant has no place to remember it at: a foreign key, as a
	// tenant's role may not read the members.
	if violation, ok := errors.AsType[*pgconn.PgError](err); ok && violation.Code == "23503" {
		return nil
	}
	return err
}

// Recent shows the questions that a person asked last, of pages that begin so.
func (s *Service) Recent(ctx context.Context, a web.Actor, prefix string) (templ.Component, error) {
	var all []question
	err := s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT address, said, times, at FROM assim.asked WHERE person = $1 AND starts_with(address, $2) ORDER BY at DESC, hash LIMIT $3`, a.User, prefix, shown)
		if err != nil {
			return fmt.Errorf("reading what was asked: %w", err)
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[question])
		return err
	})
	return recentPanel(all), err
}

// Pages adds the way to forget.
func (s *Service) Pages(w *web.Web) {
	w.Page("POST /asked/forget", tenancy.Own, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		err := s.DB.In(r.Context(), a.Tenant, func(tx pgx.Tx) error {
			_, err := tx.Exec(r.Context(), `DELETE FROM assim.asked WHERE person = $1`, a.User)
			return err
		})
		if err != nil {
			return fmt.Errorf("forgetting what was asked: %w", err)
		}
		http.Redirect(w, r, "/queries", http.StatusSeeOther)
		return nil
	})
}
