// Package views keeps pages with the choices that somebody gave a name to: for
// oneself, or for everybody of the tenant.
package views

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service is the feature.
type Service struct {
	DB *store.DB
}

// pages are those whose choices can be kept.
var pages = []string{"/hosts", "/changes"}

// Limits of views.
const (
	maxName  = 100
	maxQuery = 2000
	maxViews = 100 // of one owner on one page
)

// Named is a page with choices, under a name.
type Named struct {
	ID        string    `json:"id" format:"uuid"`
	Name      string    `json:"name"`
	Page      string    `json:"page" doc:"its path"`
	Query     string    `json:"query" doc:"of its address, such as state=down&site=paris"`
	Shared    bool      `json:"shared" doc:"everybody of the tenant sees it; else you alone"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
}

// list are the views of a page ("" of all) that a person sees, shared ones first.
func list(ctx context.Context, tx pgx.Tx, person tenancy.UserID, page string) ([]Named, error) {
	rows, err := tx.Query(ctx, `
		SELECT id::text, name, page, query, owner IS NULL, created_by, created_at FROM assim.views
		WHERE (owner IS NULL OR owner = $1) AND ($2 = '' OR page = $2) ORDER BY page, owner IS NOT NULL, lower(name), id`, person, page)
	if err != nil {
		return nil, fmt.Errorf("listing views: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Named])
}

// Wish is the wish for a view.
type Wish struct{ Page, Query, Name string }

func (w *Wish) complete() error {
	w.Name = strings.TrimSpace(w.Name)
	switch {
	case !slices.Contains(pages, w.Page):
		return huma.Error422UnprocessableEntity("views are of " + strings.Join(pages, " and "))
	case w.Name == "" || len(w.Name) > maxName || !utf8.ValidString(w.Name) || strings.ContainsFunc(w.Name, unicode.IsControl):
		return huma.Error422UnprocessableEntity("a view's name has 1 to 100 bytes without control characters")
	}
	given, err := url.ParseQuery(strings.TrimPrefix(w.Query, "?"))
	if err != nil {
		return huma.Error422UnprocessableEntity("a view's query is that of an address")
	}
	if w.Query = choices(given); len(w.Query) > maxQuery {
		return huma.Error422UnprocessableEntity("a view's query has at most 2000 bytes")
	}
	return nil
}

// choices are what a view keeps of an address, in one order: neither the place in
// the list nor what is empty.
func choices(given url.Values) string {
	kept := url.Values{}
	for name, values := range given {
		if name != "cursor" && name != "format" && len(values) > 0 && values[0] != "" {
			kept.Set(web.Text(name), web.Text(values[0]))
		}
	}
	return kept.Encode()
}

// create keeps a view: of the actor, or of all.
func (s *Service) create(ctx context.Context, a web.Actor, w Wish, shared bool) (Named, error) {
	if err := w.complete(); err != nil {
		return Named{}, err
	}
	var owner *tenancy.UserID
	if !shared {
		if a.User.IsZero() {
			return Named{}, huma.Error422UnprocessableEntity("this token belongs to no person, so it has no views of its own")
		}
		owner = &a.User
	}
	v := Named{ID: tenancy.NewID[tenancy.UserID]().String(), Name: w.Name, Page: w.Page, Query: w.Query, Shared: shared, CreatedBy: a.Name()}
	err := s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		if err := quota.Room(ctx, tx, a.Tenant, quota.Views); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM assim.views WHERE page = $1 AND owner IS NOT DISTINCT FROM $2`, v.Page, owner).Scan(&n); err != nil {
			return fmt.Errorf("counting views: %w", err)
		}
		if n >= maxViews {
			return web.NewProblem(http.StatusConflict, web.OverQuota, fmt.Sprintf("there are %d views of this page already, and may be %d; remove one first", n, maxViews))
		}
		err := tx.QueryRow(ctx, `
			INSERT INTO assim.views (tenant, id, page, query, name, owner, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING created_at`,
			a.Tenant, v.ID, v.Page, v.Query, v.Name, owner, v.CreatedBy).Scan(&v.CreatedAt)
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23505" {
			return huma.Error409Conflict("there is a view of this name already")
		} else if err != nil {
			return fmt.Errorf("storing a view: %w", err)
		}
		if !shared {
			return nil
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "view.share", Object: v.ID, Detail: map[string]string{"name": v.Name, "page": v.Page}})
	})
	v.CreatedAt = v.CreatedAt.UTC()
	return v, err
}

// remove takes a view away: one of the actor's own, or a shared one.
func (s *Service) remove(ctx context.Context, a web.Actor, id string, shared bool) (page string, err error) {
	var owner *tenancy.UserID
	if !shared {
		owner = &a.User
	}
	err = s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		var name string
		err := tx.QueryRow(ctx, `DELETE FROM assim.views WHERE id = assim.as_id($1) AND owner IS NOT DISTINCT FROM $2 RETURNING name, page`, web.Text(id), owner).Scan(&name, &page)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return huma.Error404NotFound("there is no such view")
		case err != nil:
			return fmt.Errorf("removing a view: %w", err)
		case !shared:
			return nil
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "view.remove", Object: id, Detail: map[string]string{"name": name, "page": page}})
	})
	return page, err
}
