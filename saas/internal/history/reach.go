package history

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
)

// Reach says how long the tenant's past is held, and since when without a gap.
type Reach struct {
	FactDays  int
	GraphDays int
	Facts     time.Time
	Graph     time.Time
}

// ReachOf reads the tenant's reach.
func ReachOf(ctx context.Context, tx pgx.Tx) (Reach, error) {
	var r Reach
	err := tx.QueryRow(ctx, `SELECT fact_days, graph_days, facts_from, graph_from FROM assim.history`).Scan(&r.FactDays, &r.GraphDays, &r.Facts, &r.Graph)
	if err != nil {
		return Reach{}, fmt.Errorf("reading since when history is held: %w", err)
	}
	return r, nil
}

// ahead is how far a clock of somebody who asks may be ahead of ours.
const ahead = time.Minute

// Facts reports whether facts can be seen as of a time: nil, or a problem that
// says since when they can.
func Facts(ctx context.Context, tx pgx.Tx, at time.Time) error {
	r, err := ReachOf(ctx, tx)
	if err != nil {
		return err
	}
	return held(at, r.Facts, "facts")
}

// Graph is Facts for the graph.
func Graph(ctx context.Context, tx pgx.Tx, at time.Time) error {
	r, err := ReachOf(ctx, tx)
	if err != nil {
		return err
	}
	return held(at, r.Graph, "the graph")
}

func held(at, from time.Time, what string) error {
	switch {
	case at.After(time.Now().Add(ahead)):
		return web.NewProblem(http.StatusUnprocessableEntity, web.Invalid, "the time asked for has not come yet")
	case at.Before(from):
		return web.NewProblem(http.StatusGone, web.NotHeld, "the past of "+what+" is held since "+from.UTC().Format(time.RFC3339))
	}
	return nil
}
