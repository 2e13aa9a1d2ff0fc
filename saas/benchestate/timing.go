package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"
)

// row is one thing that was timed.
type row struct {
	Group   string  `json:"group"`
	Name    string  `json:"name"`
	Samples int     `json:"samples"`
	P50     float64 `json:"p50_ms"`
	P95     float64 `json:"p95_ms"`
	Max     float64 `json:"max_ms"`
	Rows    float64 `json:"rows"`              // of an answer, on average
	Goal    float64 `json:"goal_ms,omitempty"` // for the 95th percentile
	Failed  string  `json:"failed,omitempty"`  // why there is no time
}

// Limits of asking one thing: those that are slow are asked less often.
const (
	warmUp     = 5
	fewest     = 3
	warmBefore = 2 * time.Second
)

// timer runs and reports.
type timer struct {
	samples  int
	patience time.Duration  // with one thing, when it was asked often enough
	only     *regexp.Regexp // of "group: name"; nil: all
	errs     io.Writer
	rows     []row
}

// time asks a question again and again; ask does so with the i-th choice of
// parameters and returns how many rows came. What fails is reported, and does not
// end the run.
func (t *timer) time(ctx context.Context, group, name string, goal float64, ask func(i int) (int, error)) error {
	if t.only != nil && !t.only.MatchString(group+": "+name) {
		return nil
	}
	r := row{Group: group, Name: name, Goal: goal}
	defer func() {
		fmt.Fprintf(t.errs, "%s: %s: p50 %.2f ms, p95 %.2f ms, %d samples %s\n", group, name, r.P50, r.P95, r.Samples, r.Failed)
		t.rows = append(t.rows, r)
	}()
	began := time.Now()
	for i := 0; i < warmUp && time.Since(began) < warmBefore; i++ {
		if _, err := ask(-1 - i); err != nil {
			r.Failed = err.Error()
			return ctx.Err()
		}
	}
	var took []time.Duration
	rows := 0
	began = time.Now()
	for i := 0; i < t.samples && (i < fewest || time.Since(began) < t.patience); i++ {
		asked := time.Now()
		n, err := ask(i)
		if err != nil {
			r.Failed = err.Error()
			return ctx.Err()
		}
		took = append(took, time.Since(asked))
		rows += n
	}
	slices.Sort(took)
	r.Samples, r.Rows = len(took), float64(rows)/float64(len(took))
	r.P50, r.P95, r.Max = milliseconds(took[len(took)/2]), milliseconds(took[len(took)*95/100]), milliseconds(took[len(took)-1])
	return ctx.Err()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
